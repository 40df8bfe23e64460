"""/v1/images/* between the official SDK and the sandbox: books, bounds, refusals."""

from typing import Any

import openai
import pytest

from tests.endpoints.conftest import error_of
from tests.endpoints.recordings import form, noise, send
from tests.harness import Caller, Sandbox, Service, eventually, nano

GENERATIONS = "/v1/images/generations"
EDITS = "/v1/images/edits"
OLDER = ("gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5", "chatgpt-image-latest")
NEWER = ("gpt-image-2", "gpt-image-2-2026-04-21", "gpt-image-2.5-flare", "gpt-image-2.5-sunburst-2026-09-08")


@pytest.fixture
def client(service: Service, caller: Caller) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{service.url}/v1", api_key=caller.secret, max_retries=0)


def bound(service: Service, caller: Caller) -> int:
    """Of the caller's last call, as its row has it."""
    return nano(service.admin("GET", f"/ledger?key={caller.id}&limit=100")["data"][-1]["bound_usd"])


def booked_as_billed(service: Service, caller: Caller, sandbox: Sandbox) -> bool:
    billed = sandbox.billed_nano_usd()
    assert 0 < billed <= bound(service, caller)
    return caller.spent() == billed and caller.held() == 0


OPTIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "small": {"size": "1024x1024", "quality": "low"},
    "dear": {"size": "1024x1536", "quality": "high"},
    "wide": {"size": "1536x1024", "quality": "medium", "n": 3},
    "automatic": {"size": "auto", "quality": "auto", "output_format": "webp", "output_compression": 50},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("model", OLDER + NEWER)
def test_images_are_booked_as_billed_and_were_held(
    service: Service,
    caller: Caller,
    sandbox: Sandbox,
    client: openai.OpenAI,
    model: str,
    options: dict[str, Any],
) -> None:
    drawn = client.images.generate(model=model, prompt="A river of white owl feathers", **options)
    assert drawn.data is not None
    assert len(drawn.data) == options.get("n", 1)
    assert booked_as_billed(service, caller, sandbox)


@pytest.mark.parametrize("size", ["1024x640", "2048x2048", "3840x2160", "3072x1024", "2880x2880"])
@pytest.mark.parametrize("quality", ["low", "xhigh", "max"])
def test_any_size_of_the_newest_models_is_bounded(
    service: Service, caller: Caller, sandbox: Sandbox, client: openai.OpenAI, size: Any, quality: Any
) -> None:
    client.images.generate(model="gpt-image-2.5-sunburst", prompt="x", size=size, quality=quality)
    assert booked_as_billed(service, caller, sandbox)


@pytest.mark.parametrize("model", [OLDER[1], NEWER[0], NEWER[2]])
def test_a_stream_is_booked_before_its_last_event(
    caller: Caller, sandbox: Sandbox, client: openai.OpenAI, model: str
) -> None:
    kinds = []
    for event in client.images.generate(model=model, prompt="x", stream=True, partial_images=3):
        kinds.append(event.type)
        if event.type == "image_generation.completed":
            assert caller.spent() == sandbox.billed_nano_usd() > 0
    assert kinds == ["image_generation.partial_image"] * 3 + ["image_generation.completed"]


EDITS_OF: dict[str, dict[str, Any]] = {
    "one": {"image": ("a.png", noise(2000))},
    "several": {"image": [("a.png", noise(2000)), ("b.png", noise(100))]},
    "masked": {"image": ("a.png", noise(2000)), "mask": ("m.png", noise(10))},
    "faithful": {"image": ("a.png", noise(2000)), "input_fidelity": "high", "n": 2},
}


@pytest.mark.parametrize("fields", EDITS_OF.values(), ids=EDITS_OF)
@pytest.mark.parametrize("model", [OLDER[0], OLDER[2], NEWER[0], NEWER[3]])
def test_edits_are_booked_as_billed_and_were_held(
    service: Service,
    caller: Caller,
    sandbox: Sandbox,
    client: openai.OpenAI,
    model: str,
    fields: dict[str, Any],
) -> None:
    client.images.edit(model=model, prompt="Make it night", size="1024x1024", quality="low", **fields)
    assert booked_as_billed(service, caller, sandbox)


def test_a_streamed_edit_is_booked_as_billed(
    service: Service, caller: Caller, sandbox: Sandbox, client: openai.OpenAI
) -> None:
    stream = client.images.edit(
        model="gpt-image-2", prompt="x", image=b"an image", stream=True, partial_images=1
    )
    assert [event.type for event in stream] == ["image_edit.partial_image", "image_edit.completed"]
    assert booked_as_billed(service, caller, sandbox)


def test_who_hangs_up_pays_the_image_that_is_drawn_all_the_same(
    caller: Caller, sandbox: Sandbox, client: openai.OpenAI
) -> None:
    sandbox.misbehave(token_delay_ms=200)
    stream = client.images.generate(model="gpt-image-2", prompt="x", stream=True, partial_images=3)
    next(iter(stream))
    stream.close()
    eventually(lambda: sandbox.bill()["count"] == 1 and caller.held() == 0)
    assert caller.spent() == sandbox.billed_nano_usd() > 0


def test_an_image_without_a_usage_is_booked_at_its_bound(
    service: Service, caller: Caller, sandbox: Sandbox, client: openai.OpenAI
) -> None:
    sandbox.misbehave(no_usage=1)
    client.images.generate(model="gpt-image-1.5", prompt="x", quality="low", size="1024x1024")
    assert caller.spent() == bound(service, caller) > sandbox.billed_nano_usd()


def test_a_stream_that_breaks_stays_in_doubt(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.misbehave(cut_after=1)
    fields = {"model": "gpt-image-2", "prompt": "x", "stream": True, "partial_images": 3}
    answer = caller.post(GENERATIONS, fields)
    assert b"upstream_stream_cut" in answer.data
    assert caller.in_doubt() >= sandbox.billed_nano_usd() > 0


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"model": "dall-e-3"}, "model_not_priced", "model"),
        ({"model": "gpt-4o"}, "model_not_priced", "model"),
        ({"model": None}, "missing_required_parameter", "model"),
        ({"n": 11}, "invalid_value", "n"),
        ({"n": "2"}, "invalid_type", "n"),
        ({"n": 2, "stream": True}, "invalid_parameter_combination", "n"),
        ({"partial_images": 4}, "invalid_value", "partial_images"),
        ({"prompt": "x" * 32_001}, "invalid_value", "prompt"),
        ({"size": "10x"}, "invalid_value", "size"),
        ({"size": "1792x1024"}, "unsupported_value", "size"),
        ({"model": "gpt-image-2", "size": "3840x3840"}, "unsupported_value", "size"),
        ({"output_format": "gif"}, "unsupported_value", "output_format"),
        ({"output_format": "svg"}, "unsupported_value", "output_format"),
        ({"svg": {"model": "gpt-5"}}, "unsupported_value", "svg"),
        ({"frame_count": 16}, "unsupported_value", "frame_count"),
        ({"complexity": "high"}, "unsupported_value", "complexity"),
    ],
)
def test_what_cannot_be_bounded_is_refused(
    caller: Caller, sandbox: Sandbox, fields: dict[str, Any], code: str, param: str
) -> None:
    answer = caller.post(GENERATIONS, {"model": "gpt-image-1.5", "prompt": "x", **fields})
    assert answer.status == 400, answer.data
    assert (error_of(answer)["code"], error_of(answer)["param"]) == (code, param)
    assert sandbox.bill()["requests_seen"] == 0


def test_a_form_is_as_strict_as_json(caller: Caller, sandbox: Sandbox) -> None:
    image = noise(10)
    for field, value in (("n", "11"), ("n", "two"), ("stream", "yes"), ("complexity", "low")):
        body = form(("model", "gpt-image-2"), ("prompt", "x"), (field, value), file=image, name="image")
        answer = send(caller, EDITS, body)
        assert (answer.status, error_of(answer)["param"]) == (400, field)
    answer = send(caller, EDITS, form(("model", "gpt-image-2"), ("prompt", "x"), ("image", "a text")))
    assert (answer.status, error_of(answer)["param"]) == (400, "image")
    assert sandbox.bill()["requests_seen"] == 0


def test_an_unknown_field_is_bounded_at_the_most_there_is(
    service: Service, caller: Caller, sandbox: Sandbox
) -> None:
    body = {"model": "gpt-image-2", "prompt": "x", "quality": "low", "size": "1024x1024"}
    assert caller.post(GENERATIONS, body).status == 200
    known = bound(service, caller)
    assert caller.post(GENERATIONS, {**body, "brushes": 2}).status == 429
    rich = service.new_key(hard_limit_usd="50")
    assert rich.post(GENERATIONS, {**body, "brushes": 2}).status == 200
    assert bound(service, rich) > 100 * known


def test_images_whose_bound_does_not_fit_are_refused_and_not_sent(service: Service, sandbox: Sandbox) -> None:
    poor = service.new_key(hard_limit_usd="0.05")
    answer = poor.post(GENERATIONS, {"model": "gpt-image-2", "prompt": "x", "quality": "high"})
    assert answer.status == 429
    assert nano(error_of(answer)["details"]["bound_usd"]) > 700_000_000
    assert sandbox.bill()["requests_seen"] == 0

"""The bound of a chat body: never below what the provider could count or charge. Random, by seed."""

import random
from typing import Any

import pytest

from service.errors import InvalidRequest, ModelNotPriced
from service.operations.base import Body
from service.operations.chat_bound import chat_demand
from service.pricing.cost import cost_nano_usd
from service.pricing.tokens import counted_input_tokens
from service.pricing.usage import Usage
from tests.pricing.conftest import AT, MakeCatalog, bound_nano_usd, chat_body, model, with_parts

SEED = 20261122
PIXEL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
FILE = {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}
LONG = {"type": "text", "text": "word " * 1_000}

# Characters that tokenizers and JSON treat in ways of their own.
ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz ABC.,;",
    "0123456789",
    " \n\t\r",
    '"\\/{}[]<>|&%$#@!',
    "\x00\x01\x07\x0b\x1b\x1f\x7f",
    "áéíóúñüßøåœ",
    "абвгдежзийклмн",
    "汉字漢字語文書",
    "かなカナ",
    "한국어교정",
    "العربيةشكرا",
    "हिन्दीभाषा",
    "ไทยภาษา",
    "🎈🎉👩‍👩‍👧‍👦🇪🇸🏳️‍🌈",
    "\u2028\u2029\ufeff\ufffd\U0010ffff\u0301",
    "ꙮ𒀀𓂀🜁",
]
SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>system\n",
    "function",
    "\\n",
    "\r\n\r\n",
    "    ",
    "https://a.b/c?d=e",
]


def _text(rng: random.Random, most: int) -> str:
    pieces = [rng.choice([*rng.choice(ALPHABETS), *SPECIAL]) for _ in range(rng.randrange(most))]
    return "".join(piece * rng.choice((1, 1, 1, 7)) for piece in pieces)


def _tool(rng: random.Random) -> dict[str, Any]:
    properties = {f"p{n}": {"type": "string", "description": _text(rng, 40)} for n in range(rng.randrange(5))}
    parameters = {"type": "object", "properties": properties}
    function = {"name": f"tool_{rng.randrange(99)}", "description": _text(rng, 60), "parameters": parameters}
    return {"type": "function", "function": function}


def _message(rng: random.Random, most: int) -> dict[str, Any]:
    kind = rng.randrange(4)
    if kind == 0:
        parts = [{"type": "text", "text": _text(rng, most)} for _ in range(rng.randrange(1, 4))]
        return {"role": "user", "content": parts}
    if kind == 1:
        call = {"name": "tool_1", "arguments": _text(rng, most)}
        return {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": call}]}
    role = rng.choice(("system", "user", "assistant", "developer"))
    named = {"name": f"n{rng.randrange(9)}"} if kind == 2 else {}
    return {"role": role, "content": _text(rng, most), **named}


def _random_body(rng: random.Random) -> Body:
    most = rng.choice((5, 50, 500))
    fields: dict[str, Any] = {"messages": [_message(rng, most) for _ in range(rng.randrange(1, 12))]}
    if rng.random() < 0.3:
        fields["tools"] = [_tool(rng) for _ in range(rng.randrange(1, 6))]
    return chat_body(ascii_only=rng.random() < 0.3, **fields)


@pytest.mark.parametrize("name", ["gpt-4o", "gpt-4-turbo"])
def test_input_is_never_bounded_below_the_count_of_openais_recipe(name: str) -> None:
    rng, found = random.Random(SEED), model(name)
    sizes = set()
    for number in range(300):
        body = _random_body(rng)
        sizes.add(len(body.raw) > 2_048)
        bound = chat_demand(body, found).input_tokens
        counted = counted_input_tokens(body.fields, found.encoding)
        assert min(counted, found.context_window or 0) <= bound, (number, SEED, body.raw[:200])
    assert sizes == {True, False}  # bodies counted by bytes and by tokens, both


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_long_text_in_one_script_is_bounded(alphabet: str) -> None:
    rng, found = random.Random(SEED), model("gpt-4o")
    for repeat in (1, 40):
        text = "".join(rng.choice(alphabet) * repeat for _ in range(3_000 // repeat))
        body = chat_body(messages=[{"role": "user", "content": text}] * 3)
        assert counted_input_tokens(body.fields, found.encoding) <= chat_demand(body, found).input_tokens


def test_small_body_counts_a_byte_as_a_token() -> None:
    body = chat_body()
    assert chat_demand(body, model("gpt-4o-mini")).input_tokens == len(body.raw) + 64


def test_tools_have_an_allowance_of_their_own() -> None:
    body = chat_body(tools=[_tool(random.Random(SEED))])
    assert chat_demand(body, model("gpt-4o-mini")).input_tokens == len(body.raw) + 64 + 512


def test_no_input_exceeds_the_window() -> None:
    body = chat_body(messages=[{"role": "user", "content": "word " * 20_000}])
    assert chat_demand(body, model("gpt-4")).input_tokens == 8_192


# What it can cost


def _random_usage(rng: random.Random, inputs: int, outputs: int, *, audio: bool) -> Usage:
    used, out = (
        rng.choice((inputs, rng.randrange(inputs + 1))),
        rng.choice((outputs, rng.randrange(outputs + 1))),
    )
    cached = rng.randrange(used + 1)
    return Usage(
        input_tokens=used,
        cached_input_tokens=cached,
        cache_write_tokens=rng.randrange(used - cached + 1),
        output_tokens=out,
        reasoning_tokens=rng.randrange(out + 1),
        audio_output_tokens=rng.randrange(out + 1) if audio else 0,
    )


TIERED = ["gpt-5", "gpt-5.4", "gpt-5.6-sol", "gpt-6-luna"]
UNTIERED = ["gpt-4o-mini", "o1-pro", "gpt-audio", "gpt-4.1-nano"]


@pytest.mark.parametrize(
    ("name", "tier"),
    [(name, tier) for name in TIERED for tier in ("default", "flex", "priority")]
    + [(name, "default") for name in UNTIERED],
)
def test_no_usage_within_the_cap_costs_more_than_the_bound(name: str, tier: str) -> None:
    rng, found = random.Random(SEED), model(name, tier)
    audio = name == "gpt-audio"
    for size in (1, 3_000, 900_000):
        fields: dict[str, Any] = {"max_completion_tokens": 900, "n": rng.choice((1, 3))}
        if audio:
            fields["modalities"] = ["text", "audio"]
        body = chat_body(messages=[{"role": "user", "content": "wo rd " * (size // 4)}], **fields)
        demand = chat_demand(body, found)
        for _ in range(300):
            usage = _random_usage(rng, demand.input_tokens, demand.cap_tokens * fields["n"], audio=audio)
            assert usage.is_possible()
            assert cost_nano_usd(usage, found.rates) <= bound_nano_usd(demand), (usage, SEED)


def test_bound_takes_the_rates_of_a_long_prompt_where_the_prompt_may_be_long() -> None:
    body = chat_body(messages=[{"role": "user", "content": "word " * 300_000}], max_completion_tokens=1)
    demand = chat_demand(body, model("gpt-5.4"))
    assert demand.input_tokens > 272_000
    assert demand.input_pico_usd == demand.input_tokens * 5_000_000
    assert demand.output_pico_usd == 22_500_000


def test_bound_takes_the_dearer_of_input_and_cache_write() -> None:
    demand = chat_demand(chat_body(), model("gpt-5.6-sol"))
    assert demand.input_pico_usd == demand.input_tokens * 5_000_000


def test_cached_input_may_be_the_dearest_class(catalog_of: MakeCatalog) -> None:
    """An operator's price file may say so; then the bound must know."""
    found = catalog_of("[models.m]\ninput = 1\ncached_input = 3\noutput = 1\nmax_output_tokens = 9\n").model(
        "m", None, AT
    )
    demand = chat_demand(chat_body(), found)
    assert demand.input_pico_usd == demand.input_tokens * 3_000_000


@pytest.mark.parametrize(("fields", "choices"), [({}, 1), ({"n": 1}, 1), ({"n": 7}, 7), ({"n": None}, 1)])
def test_every_choice_may_use_the_whole_cap(fields: dict[str, Any], choices: int) -> None:
    demand = chat_demand(chat_body(max_tokens=10, **fields), model("gpt-4o-mini"))
    assert (demand.cap_tokens, demand.output_pico_usd) == (10, choices * 600_000)


def test_request_of_thousands_of_dollars_is_refused(catalog_of: MakeCatalog) -> None:
    """Amounts past 2**53 pico-USD would not be exact in Lua."""
    dear = "[models.dear]\ninput = 1\noutput = 1000000\nmax_output_tokens = 9007\n"
    found = catalog_of(dear).model("dear", None, AT)
    assert bound_nano_usd(chat_demand(chat_body(), found)) < 2**53 // 1_000
    with pytest.raises(InvalidRequest) as caught:
        chat_demand(chat_body(n=2), found)
    assert caught.value.param == "n"


# The cap


@pytest.mark.parametrize(
    ("name", "fields", "cap", "floor"),
    [
        ("gpt-4o-mini", {}, 16_384, 512),
        ("gpt-5", {}, 128_000, 4_096),
        ("gpt-4o-mini", {"max_tokens": 50}, 50, 0),
        ("gpt-4o-mini", {"max_completion_tokens": 50}, 50, 0),
        ("gpt-4o-mini", {"max_tokens": 99_999}, 16_384, 0),
        ("gpt-4o-mini", {"max_tokens": None}, 16_384, 512),
    ],
)
def test_cap_is_the_callers_or_the_models(name: str, fields: dict[str, Any], cap: int, floor: int) -> None:
    demand = chat_demand(chat_body(**fields), model(name))
    assert (demand.cap_tokens, demand.floor_tokens) == (cap, floor)


def test_floor_is_never_above_the_models_most(catalog_of: MakeCatalog) -> None:
    found = catalog_of("[models.m]\ninput = 1\noutput = 1\nmax_output_tokens = 100\n").model("m", None, AT)
    demand = chat_demand(chat_body(), found)
    assert (demand.cap_tokens, demand.floor_tokens) == (100, 100)


def test_unknown_field_is_bounded_at_the_models_maxima() -> None:
    demand = chat_demand(chat_body(unknown=("novelty",), max_tokens=5), model("gpt-4o-mini"))
    assert (demand.input_tokens, demand.cap_tokens, demand.floor_tokens) == (128_000, 16_384, 0)


def test_unknown_field_may_reach_the_dearest_class() -> None:
    demand = chat_demand(chat_body(unknown=("novelty",)), model("gpt-audio"))
    assert demand.input_pico_usd == 128_000 * 32_000_000
    assert demand.output_pico_usd == 64_000_000


# Images, files, audio


@pytest.mark.parametrize(
    ("name", "details", "tokens"),
    [
        ("gpt-4o", ["high", "low", None], 1_445 + 85 + 1_445),
        ("gpt-4o-mini", ["low"], 2_833),
        ("gpt-5-mini", ["auto"], 2_489),
    ],
)
def test_images_are_bounded_by_family_and_detail(name: str, details: list[str | None], tokens: int) -> None:
    def image(detail: str | None) -> dict[str, Any]:
        return {
            "type": "image_url",
            "image_url": {**PIXEL["image_url"], **({"detail": detail} if detail else {})},
        }

    found = model(name)
    without = chat_demand(with_parts(LONG), found).input_tokens
    assert chat_demand(with_parts(LONG, *map(image, details)), found).input_tokens == without + tokens


def test_bytes_of_an_image_are_not_counted_as_text() -> None:
    heavy = {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64," + "A" * 500_000, "detail": "low"},
    }
    assert chat_demand(with_parts(heavy), model("gpt-4o")).input_tokens < 85 + 64 + 200


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("gpt-4o", FILE),
        ("gpt-audio", AUDIO),
        ("gpt-5.4", PIXEL),
        ("gpt-4o", {"type": "image_url", "image_url": {"url": "https://a.b/c.png", "detail": "original"}}),
    ],
)
def test_what_its_bytes_do_not_bound_counts_as_the_whole_window(name: str, part: dict[str, Any]) -> None:
    found = model(name)
    assert chat_demand(with_parts(part), found).input_tokens == found.context_window


def test_audio_is_bounded_at_its_own_rates() -> None:
    body = with_parts(AUDIO, modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"})
    demand = chat_demand(body, model("gpt-audio"))
    assert demand.input_pico_usd == 128_000 * 32_000_000
    assert demand.output_pico_usd == 64_000_000


@pytest.mark.parametrize("body", [with_parts(AUDIO), chat_body(modalities=["text", "audio"])])
def test_audio_without_a_rate_is_refused(body: Body) -> None:
    with pytest.raises(ModelNotPriced):
        chat_demand(body, model("gpt-4o-mini"))


def test_window_that_is_not_known_bounds_nothing(catalog_of: MakeCatalog) -> None:
    priced = catalog_of("[models.m]\ninput = 1\noutput = 1\nmax_output_tokens = 9\n").model("m", None, AT)
    assert chat_demand(with_parts(LONG), priced).input_tokens > 5_000  # text is bounded by its bytes
    with pytest.raises(ModelNotPriced, match="its context window is not known"):
        chat_demand(with_parts(PIXEL), priced)


@pytest.mark.parametrize("part", [PIXEL, FILE, LONG])
def test_what_is_free_needs_no_window(catalog_of: MakeCatalog, part: dict[str, Any]) -> None:
    free = catalog_of('[models."*"]\ninput = 0\noutput = 0\n').model("llava", None, AT)
    assert bound_nano_usd(chat_demand(with_parts(part), free)) == 0


@pytest.mark.parametrize("name", ["text-embedding-3-small", "whisper-1"])
def test_model_that_does_not_chat_is_refused(name: str) -> None:
    with pytest.raises(ModelNotPriced):
        chat_demand(chat_body(), model(name))

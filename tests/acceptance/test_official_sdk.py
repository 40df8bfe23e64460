"""The official SDK against Spendgate: the lecture's example, and what it does when money is out."""

from typing import Any

import openai
import pytest

from tests.harness import Caller, Sandbox, Service, eventually, nano

LYRICS = [
    {
        "role": "system",
        "content": "I am Roxette lyric completion assistant. When given a line from a song, "
        "I will provide the next line in the song.",
    },
    {"role": "user", "content": "I know there's something in the wake of your smile"},
    {"role": "assistant", "content": "I get a notion from the look in your eyes, yeah"},
    {"role": "user", "content": "You've built a love but that love falls apart"},
    {"role": "assistant", "content": "Your little piece of Heaven turns too dark"},
    {"role": "user", "content": "Listen to your"},
]


@pytest.fixture
def caller(service: Service) -> Caller:
    return service.new_key(hard_limit_usd="1")


@pytest.fixture
def client(service: Service, caller: Caller) -> Any:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key=caller.secret) as sdk:
        yield sdk


def test_the_lectures_parameters_work(client: openai.OpenAI) -> None:
    prompt: list[Any] = [{"role": "user", "content": "Listen to your"}]
    plain = client.chat.completions.create(messages=prompt, model="gpt-3.5-turbo")
    assert plain.choices[0].message.content
    assert plain.usage is not None
    assert plain.usage.completion_tokens > 5
    short = client.chat.completions.create(messages=prompt, model="gpt-3.5-turbo", max_tokens=5)
    assert short.usage is not None
    assert short.usage.completion_tokens == 5
    several = client.chat.completions.create(
        messages=prompt, model="gpt-3.5-turbo", max_tokens=2, n=5, temperature=2
    )
    assert len(several.choices) == 5


def test_the_lyric_assistant_gives_the_same_by_hand_and_as_a_continuation(
    client: openai.OpenAI, caller: Caller, sandbox: Sandbox
) -> None:
    messages: list[Any] = list(LYRICS)
    for _ in range(4):
        completion = client.chat.completions.create(
            messages=messages, model="gpt-3.5-turbo", max_tokens=15, n=1, temperature=0
        )
        messages.append({"role": "assistant", "content": completion.choices[0].message.content})
    by_hand = sandbox.billed_nano_usd()
    continued = caller.post(
        "/v1/continuations",
        {
            "model": "gpt-3.5-turbo",
            "system": LYRICS[0]["content"],
            "examples": [
                {"user": LYRICS[1]["content"], "assistant": LYRICS[2]["content"]},
                {"user": LYRICS[3]["content"], "assistant": LYRICS[4]["content"]},
            ],
            "prompt": "Listen to your",
            "rounds": 4,
            "max_tokens": 15,
            "temperature": 0,
        },
    ).json()
    assert continued["status"] == "completed"
    assert continued["messages"] == messages
    assert [result["content"] for result in continued["results"]] == [m["content"] for m in messages[-4:]]
    assert nano(continued["cost_usd"]) == by_hand == sandbox.billed_nano_usd() - by_hand
    assert caller.spent() == 2 * by_hand


def test_a_stream_through_the_sdk_is_complete_and_booked(
    client: openai.OpenAI, caller: Caller, sandbox: Sandbox
) -> None:
    stream = client.chat.completions.create(
        messages=[{"role": "user", "content": "Listen to your"}], model="gpt-4o-mini", stream=True
    )
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert all(chunk.choices for chunk in chunks), "the usage event was not asked for"
    assert caller.spent() == sandbox.billed_nano_usd() > 0
    assert caller.held() == 0


def test_the_sdk_does_not_retry_when_the_money_is_out(service: Service, sandbox: Sandbox) -> None:
    def refusals() -> int:
        return sum('"insufficient_quota"' in line for line in service.lines)

    caller = service.new_key(hard_limit_usd="0")
    before = refusals()
    with (
        openai.OpenAI(base_url=f"{service.url}/v1", api_key=caller.secret) as sdk,
        pytest.raises(openai.RateLimitError) as refusal,
    ):
        sdk.chat.completions.create(messages=[{"role": "user", "content": "x"}], model="gpt-4o-mini")
    assert refusal.value.code == "insufficient_quota"
    assert refusal.value.response.headers["x-should-retry"] == "false"
    assert "retry-after" not in refusal.value.response.headers
    # The log is written in order: once a later request is in it, so is every retry there was.
    assert caller.post("/v1/tokens", {"model": "gpt-4o-mini", "input": "x"}).status == 200
    eventually(lambda: refusals() > before)
    assert refusals() == before + 1
    assert sandbox.bill()["requests_seen"] == 0


def test_module_level_style_works(service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "api_key", caller.secret)
    monkeypatch.setattr(openai, "base_url", f"{service.url}/v1/")
    answer = openai.chat.completions.create(
        messages=[{"role": "user", "content": "Listen to your"}], model="gpt-3.5-turbo", max_tokens=3
    )
    assert answer.choices[0].message.content

"""The sandbox's completions, embeddings and moderations: what they say, and what they bill."""

import base64
import json
import struct
from typing import Any

import pytest

from tests.sandbox.conftest import Sandbox


def post(sandbox: Sandbox, path: str, **body: Any) -> Any:
    response = sandbox.request("POST", path, json=body)
    assert response.status == 200, response.data
    return response.json()


@pytest.mark.parametrize(
    ("model", "cost"),
    # 2 prompts of 3 tokens, 3 candidates of each, 5 tokens long: 6 in and 30 out.
    [
        ("davinci-002", "0.000072000"),
        ("babbage-002", "0.000014400"),
        ("gpt-3.5-turbo-instruct", "0.000069000"),
    ],
)
def test_everything_best_of_makes_is_billed(sandbox: Sandbox, model: str, cost: str) -> None:
    answer = post(
        sandbox, "/v1/completions", model=model, prompt=["Listen to your"] * 2, n=1, best_of=3, max_tokens=5
    )
    assert len(answer["choices"]) == 2
    assert answer["usage"] == {"prompt_tokens": 6, "completion_tokens": 30, "total_tokens": 36}
    assert sandbox.bill()["total_usd"] == cost


def test_a_completion_is_sixteen_tokens_long_unless_told(sandbox: Sandbox) -> None:
    answer = post(sandbox, "/v1/completions", model="davinci-002", prompt="Listen to your")
    assert answer["usage"]["completion_tokens"] == 16
    assert answer["choices"][0]["finish_reason"] == "length"


def test_an_echo_stands_in_front_and_costs_nothing(sandbox: Sandbox) -> None:
    asked = {"model": "davinci-002", "prompt": [[9906], [1917]], "max_tokens": 2}
    plain = post(sandbox, "/v1/completions", **asked)
    echoed = post(sandbox, "/v1/completions", **asked, echo=True)
    told = [choice["text"] for choice in plain["choices"]]
    assert [choice["text"] for choice in echoed["choices"]] == [f"Hello{told[0]}", f" world{told[1]}"]
    assert plain["usage"] == echoed["usage"]


def test_a_stream_says_the_same_as_the_whole(sandbox: Sandbox) -> None:
    asked = {"model": "davinci-002", "prompt": ["a", "b"], "n": 2, "echo": True}
    plain = post(sandbox, "/v1/completions", **asked)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    text = sandbox.request("POST", "/v1/completions", json=asked | options).data.decode()
    *frames, done, end = text.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    events = [json.loads(frame.removeprefix("data: ")) for frame in frames]
    texts = ["", "", "", ""]
    for event in events[:-1]:
        texts[event["choices"][0]["index"]] += event["choices"][0]["text"]
    assert texts == [choice["text"] for choice in plain["choices"]]
    assert events[-1]["usage"] == plain["usage"]


def test_an_embedding_is_the_same_in_both_formats_and_of_length_one(sandbox: Sandbox) -> None:
    asked = {"model": "text-embedding-3-large", "input": ["Listen to your"], "dimensions": 64}
    plain = post(sandbox, "/v1/embeddings", **asked)["data"][0]["embedding"]
    packed = post(sandbox, "/v1/embeddings", **asked, encoding_format="base64")["data"][0]["embedding"]
    assert struct.unpack("<64f", base64.b64decode(packed)) == pytest.approx(plain, abs=1e-6)
    assert sum(value * value for value in plain) == pytest.approx(1)
    # Twice 3 tokens at 0.13 dollars per million.
    assert sandbox.bill()["total_usd"] == "0.000000780"


def test_moderation_is_never_billed(sandbox: Sandbox) -> None:
    answer = post(sandbox, "/v1/moderations", input=["fine", "flagged"])
    assert [result["flagged"] for result in answer["results"]] == [False, True]
    assert sandbox.bill()["count"] == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/completions", {"model": "davinci-002", "prompt": []}),
        ("/v1/completions", {"model": "davinci-002", "prompt": "a", "n": 3, "best_of": 2}),
        ("/v1/completions", {"model": "davinci-002", "prompt": [10**9]}),
        ("/v1/embeddings", {"model": "text-embedding-3-small"}),
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "a", "dimensions": 0}),
        ("/v1/moderations", {}),
    ],
)
def test_what_openai_refuses_is_refused_and_unbilled(sandbox: Sandbox, path: str, body: Any) -> None:
    assert sandbox.request("POST", path, json=body).status == 400
    assert sandbox.bill()["count"] == 0

"""What comes back is what the upstream said, what goes up is what the caller said: byte for byte."""

import json
from typing import Any

import pytest

from tests.flow.raw_upstream import RawUpstream, Wire
from tests.flow.scripts import DONE, USAGE, answer, completion, delta, event, refusal, stream, usage_event
from tests.harness import HELLO, Caller

ODD_BODY = (
    b'{ "id":"x",\t"model" : "gpt-4o-mini",\r\n "choices":'
    b'[{"message":{"content":"\xc3\xa4 \\u00e4 \xf0\x9f\x8e\xb8"},"new":{"a":[1.0,12345678901234567890]}}],'
    b'"usage":{"prompt_tokens":1,"completion_tokens":1},"z":null}\n\n'
)


def send(caller: Caller, raw: bytes, **headers: str) -> Any:
    """POST these very bytes as a chat completion."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    auth = {"authorization": f"Bearer {caller.secret}", "content-type": "application/json"}
    return caller.service.request("POST", "/v1/chat/completions", body=raw, headers=auth | named)


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": HELLO, "max_tokens": 50, **fields}


def test_a_whole_answer_comes_back_byte_for_byte(caller: Caller, upstream: RawUpstream) -> None:
    upstream.plays(answer(ODD_BODY, content_type="application/json; charset=utf-8"))
    reply = caller.chat()
    assert reply.status == 200
    assert reply.data == ODD_BODY
    assert reply.headers["content-type"] == "application/json; charset=utf-8"


def test_an_answer_in_chunks_comes_back_whole(caller: Caller, upstream: RawUpstream) -> None:
    upstream.plays(
        stream(*(ODD_BODY[i : i + 7] for i in range(0, len(ODD_BODY), 7)), content_type="application/json")
    )
    assert caller.chat().data == ODD_BODY


def test_an_answer_without_content_type_is_not_called_html(caller: Caller, upstream: RawUpstream) -> None:
    def untyped(wire: Wire) -> None:
        raw = json.dumps(completion()).encode()
        wire.head(content_length=str(len(raw)))
        wire.send(raw)

    upstream.plays(untyped)
    reply = caller.chat()
    assert json.loads(reply.data) == completion()
    assert reply.headers["content-type"] == "application/json"


def test_an_error_of_the_upstream_comes_back_byte_for_byte(caller: Caller, upstream: RawUpstream) -> None:
    raw = b'{ "error" : {"message":"Nope \xc3\xa9","type":"invalid_request_error","extra":[1.50]} }'
    upstream.plays(answer(raw, 418))
    reply = caller.chat()
    assert (reply.status, reply.data) == (418, raw)
    assert reply.headers["x-spendgate-error-source"] == "upstream"


STREAMS = {
    "odd whitespace": [b'data:{ "choices" :[{"delta":{"content":"a"}}] , "x":1.0 }\n\n', b"data:[DONE]\n\n"],
    "unicode": [b'data: {"choices": [{"delta": {"content": "\xf0\x9f\x8e\xb8 \\ud83c\\udfb8"}}]}\n\n', DONE],
    "CRLF": [delta("one").replace(b"\n\n", b"\r\n\r\n"), b"data: [DONE]\r\n\r\n"],
    "mixed line ends": [delta("one").replace(b"\n\n", b"\n\r\n"), delta("two"), DONE],
    "comments": [b": ping\n\n", delta("one"), b":\n\n", b": x\n" + delta("two"), DONE],
    "other fields": [b"event: x\nid: 7\nretry: 10\n" + delta("one"), DONE],
    "data over several lines": [b'data: {"choices":\ndata: [{"delta":{"content":"a"}}]}\n\n', DONE],
    "no JSON at all": [b"data: hello\n\n", b"data\n\n", b"data: [1]\n\n", b"data: null\n\n", DONE],
    "several events in one segment": [delta("one") + delta("two") + delta("three") + DONE],
    "one event over many segments": [bytes([byte]) for byte in delta("a long way") + DONE],
    "line end split between segments": [delta("one")[:-1], b"\n" + delta("two")[:-2], b"\n", b"\n", DONE],
    "a big event": [delta("x" * 20_000, padding="p" * 300_000), DONE],
    "usage null kept": [delta("one", usage=None), delta("two"), DONE],
    "usage in the last piece of text": [delta("one", usage=USAGE), DONE],
    "empty choices without usage": [event({"choices": [], "prompt_filter_results": []}), delta("one"), DONE],
}


@pytest.mark.parametrize("pieces", STREAMS.values(), ids=STREAMS.keys())
def test_events_of_a_stream_come_back_byte_for_byte(
    caller: Caller, upstream: RawUpstream, pieces: list[bytes]
) -> None:
    upstream.plays(stream(*pieces, content_type="text/event-stream; charset=utf-8"))
    reply = caller.chat(stream=True)
    assert reply.data == b"".join(pieces)
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"


def test_a_stream_whose_content_type_is_in_capitals_is_a_stream(
    caller: Caller, upstream: RawUpstream
) -> None:
    upstream.plays(stream(delta("one"), usage_event(), DONE, content_type="Text/Event-Stream"))
    assert caller.chat(stream=True).data == delta("one") + DONE


def test_usage_is_asked_for_and_its_event_dropped(caller: Caller, upstream: RawUpstream) -> None:
    upstream.plays(stream(delta("one"), usage_event(), DONE))
    reply = caller.chat(stream=True, stream_options={"include_obfuscation": False})
    sent = upstream.requests[0].json()
    assert sent["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    assert reply.data == delta("one") + DONE


def test_a_caller_that_says_no_to_usage_does_not_see_it(caller: Caller, upstream: RawUpstream) -> None:
    upstream.plays(stream(delta("one"), usage_event(), DONE))
    reply = caller.chat(stream=True, stream_options={"include_usage": False})
    assert upstream.requests[0].json()["stream_options"]["include_usage"] is True
    assert reply.data == delta("one") + DONE


def test_usage_that_was_asked_for_stays(caller: Caller, upstream: RawUpstream) -> None:
    upstream.plays(stream(delta("one"), usage_event(), DONE))
    reply = caller.chat(stream=True, stream_options={"include_usage": True})
    assert reply.data == delta("one") + usage_event() + DONE


HEAD = b'{"model":"gpt-4o-mini","max_tokens":5,"messages":[{"role":"user","content":'


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b'"\\u00e4 \xc3\xa4 \\/"}]}',
        b' {"temperature" : 1.0,\r\n"seed":0, ' + HEAD[1:] + b' "hi" } ] }\n',
        HEAD + b'"hi"}],"new":{"deep":[1e2,-0,1.10]},"other":null}',
        HEAD + b'"hi"}],"stream":true,"stream_options": {"include_usage": true}}',
    ],
)
def test_a_body_that_needs_nothing_goes_up_byte_for_byte(
    caller: Caller, upstream: RawUpstream, raw: bytes
) -> None:
    assert send(caller, raw).status == 200
    assert upstream.requests[0].body == raw


def test_values_stay_exact_where_something_is_added(caller: Caller, upstream: RawUpstream) -> None:
    upstream.plays(stream(delta("one"), usage_event(), DONE))
    fields = body(
        stream=True,
        temperature=0.1,
        seed=9007199254740993,
        unknown={"float": 1e-7, "big": 123456789012345678901234567890, "null": None},
        another='"\\/\b\u2028\x7f🎸',
    )
    assert send(caller, json.dumps(fields).encode()).status == 200
    sent = upstream.requests[0].json()
    assert sent.pop("stream_options") == {"include_usage": True}
    assert sent == fields
    assert list(sent) == [name for name in fields if name != "stream_options"]


UP = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
    "openai-beta": "something=v1",
    "x-client-request-id": "mine-7",
}
NOT_UP = {
    "openai-organization": "org-callers",
    "openai-project": "proj-callers",
    "x-api-key": "sk-callers",
    "api-key": "sk-callers",
    "cookie": "session=callers",
    "x-forwarded-for": "10.0.0.1",
    "x-stainless-lang": "python",
    "idempotency-key": "callers",
    "x-spendgate-stream-cost": "true",
    "accept-encoding": "gzip, br",
    "user-agent": "callers/1",
}


def test_only_some_headers_go_up(caller: Caller, upstream: RawUpstream) -> None:
    assert send(caller, json.dumps(body()).encode(), **UP, **NOT_UP).status == 200
    headers = dict(upstream.requests[0].headers)
    own = {name: headers.pop(name) for name in ("host", "content-length", "user-agent")}
    assert own["user-agent"].startswith("OpenAI/Python")
    assert headers == {**UP, "authorization": "Bearer sk-upstream", "accept-encoding": "identity"}
    assert len(upstream.requests[0].headers) == len(headers) + len(own)
    assert caller.secret not in str(upstream.requests[0])


DOWN = {
    "x-request-id": "req_7",
    "openai-version": "2020-10-01",
    "openai-processing-ms": "12",
    "x-ratelimit-remaining-requests": "99",
    "x-ratelimit-reset-tokens": "6ms",
    "retry-after": "7",
    "retry-after-ms": "7000",
    "x-should-retry": "true",
}
NOT_DOWN = {
    "openai-organization": "org-operators",
    "openai-project": "proj-operators",
    "set-cookie": "a=b",
    "server": "secretd/9",
    "cf-ray": "1",
    "x-envoy-upstream-service-time": "5",
    "strict-transport-security": "max-age=1",
}
OURS = {"x-spendgate-request-id", "x-spendgate-cost-usd", "x-spendgate-remaining-usd"}
FRAMING = {"date", "connection", "content-length", "transfer-encoding", "server"}


@pytest.mark.parametrize("streams", [False, True])
def test_only_some_headers_come_down(caller: Caller, upstream: RawUpstream, streams: bool) -> None:
    script = (
        stream(delta("a"), usage_event(), DONE, **DOWN, **NOT_DOWN)
        if streams
        else answer(completion(), **DOWN, **NOT_DOWN)
    )
    upstream.plays(script)  # fmt: skip
    headers = {name.lower(): value for name, value in caller.chat(stream=streams).headers.items()}
    passed = {name: headers.get(name) for name in DOWN}
    assert passed == DOWN
    assert headers.get("server") != "secretd/9"
    # A stream cannot know its cost when its headers go out.
    ours = OURS - {"x-spendgate-cost-usd"} if streams else OURS
    assert set(headers) - FRAMING == set(DOWN) | {"content-type"} | ours


def test_headers_of_a_refusal_come_down_as_well(caller: Caller, upstream: RawUpstream) -> None:
    upstream.plays(answer(refusal(), 429, **DOWN, **NOT_DOWN))
    headers = {name.lower(): value for name, value in caller.chat().headers.items()}
    assert {name: headers.get(name) for name in DOWN} == DOWN
    assert not set(NOT_DOWN) - {"server"} & set(headers)
    assert headers["x-spendgate-error-source"] == "upstream"


def test_the_address_and_the_query_are_those_of_the_operation(caller: Caller, upstream: RawUpstream) -> None:
    caller.post("/v1/chat/completions?api-version=9&key=x", body())
    assert upstream.requests[0].line == "POST /v1/chat/completions HTTP/1.1"

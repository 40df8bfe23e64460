"""Each knob does what the table says, and a call with a fault is billed for what was made."""

import json
import threading
import time
from typing import Any

import pytest
import urllib3
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from service.upstream.sandbox.knobs import Knobs
from tests.sandbox.conftest import Sandbox


@pytest.mark.parametrize(
    ("status", "type"), [(429, "requests"), (400, "invalid_request_error"), (503, "server_error")]
)
def test_status_is_answered_in_openais_shape_and_not_billed(sandbox: Sandbox, status: int, type: str) -> None:
    response = sandbox.chat(sandbox_status=status)
    assert (response.status, response.json()["error"]["type"]) == (status, type)
    bill = sandbox.bill()
    assert (bill["count"], bill["total_usd"], bill["requests_seen"]) == (0, "0.000000000", 1)


def test_429_says_when_to_come_back(sandbox: Sandbox) -> None:
    headers = sandbox.chat(sandbox_status=429).headers
    assert headers["retry-after"] == "7"
    assert headers["x-ratelimit-remaining-requests"] == "0"


def test_html_body_comes_with_the_status_asked_for(sandbox: Sandbox) -> None:
    response = sandbox.chat(sandbox_status=502, sandbox_body="html")
    assert response.status == 502
    assert response.headers["content-type"].startswith("text/html")
    assert response.data.startswith(b"<html>")


def test_delay_comes_before_the_answer(sandbox: Sandbox) -> None:
    started = time.monotonic()
    sandbox.answer(sandbox_delay_ms=150)
    assert time.monotonic() - started >= 0.15


def test_token_delay_comes_before_each_chunk(sandbox: Sandbox) -> None:
    started = time.monotonic()
    sandbox.events(sandbox_tokens=5, sandbox_token_delay_ms=30)
    assert time.monotonic() - started >= 0.15


def test_reset_gives_no_answer_and_no_bill(sandbox: Sandbox) -> None:
    with pytest.raises(ProtocolError) as caught:
        sandbox.chat(sandbox_reset=1)
    assert isinstance(caught.value.args[1], ConnectionResetError)
    assert sandbox.bill()["count"] == 0


def test_hanging_call_is_never_answered_and_ends_with_its_client(sandbox: Sandbox) -> None:
    with pytest.raises(ReadTimeoutError):
        sandbox.chat(sandbox_hang=1, timeout=0.3)
    assert sandbox.bill()["count"] == 0


def test_cut_stream_breaks_off_after_so_many_chunks_and_is_billed_for_them(sandbox: Sandbox) -> None:
    response = sandbox.chat(stream=True, sandbox_cut_after=4, preload_content=False)
    received = read_until_broken(response)
    chunks = [json.loads(frame.removeprefix(b"data: ")) for frame in received.split(b"\n\n")[:-1]]
    assert [bool(chunk["choices"][0]["delta"]["content"]) for chunk in chunks] == [
        False,
        True,
        True,
        True,
        True,
    ]
    (record,) = sandbox.bill()["records"]
    assert (record["usage"]["completion_tokens"], record["cut"]) == (4, True)


def test_cut_plain_answer_breaks_off_and_is_billed_in_full(sandbox: Sandbox) -> None:
    whole = sandbox.answer()
    with pytest.raises(ProtocolError, match="IncompleteRead"):
        sandbox.chat(sandbox_cut_after=0)
    assert [record["usage"] for record in sandbox.bill()["records"]] == [whole["usage"]] * 2


def test_usage_left_out_is_still_on_the_bill(sandbox: Sandbox) -> None:
    assert "usage" not in sandbox.answer(sandbox_no_usage=1)
    events = sandbox.events(sandbox_no_usage=1, stream_options={"include_usage": True})
    assert all(event["usage"] is None for event in events)
    assert all(record["usage"]["completion_tokens"] > 0 for record in sandbox.bill()["records"])


def test_bad_usage_is_shown_and_the_true_one_billed(sandbox: Sandbox) -> None:
    assert sandbox.answer(sandbox_bad_usage=1)["usage"]["completion_tokens"] < 0
    assert sandbox.bill()["records"][0]["usage"]["completion_tokens"] > 0


def test_cached_and_written_tokens_are_parts_of_the_prompt(sandbox: Sandbox) -> None:
    usage = sandbox.answer(sandbox_cached_tokens=4, sandbox_cache_write_tokens=1000)["usage"]
    details = {"cached_tokens": 4, "cache_write_tokens": usage["prompt_tokens"] - 4, "audio_tokens": 0}
    assert usage["prompt_tokens_details"] == details


def test_reasoning_counts_as_completion_and_within_the_cap(sandbox: Sandbox) -> None:
    usage = sandbox.answer(sandbox_reasoning_tokens=50, sandbox_tokens=10)["usage"]
    assert usage["completion_tokens"] == 60
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 50
    capped = sandbox.answer(sandbox_reasoning_tokens=50, max_completion_tokens=40)
    assert capped["usage"]["completion_tokens"] == 40
    assert (capped["choices"][0]["message"]["content"], capped["choices"][0]["finish_reason"]) == (
        "",
        "length",
    )


def test_cap_can_be_ignored(sandbox: Sandbox) -> None:
    usage = sandbox.answer(max_tokens=5, sandbox_tokens=200, sandbox_ignore_cap=1)["usage"]
    assert usage["completion_tokens"] == 200


def test_model_tier_and_finish_reason_are_what_was_asked_for(sandbox: Sandbox) -> None:
    answer = sandbox.answer(
        sandbox_model="gpt-4o-2024-08-06",
        sandbox_service_tier="priority",
        sandbox_finish_reason="content_filter",
    )
    shown = (answer["model"], answer["service_tier"], answer["choices"][0]["finish_reason"])
    assert shown == ("gpt-4o-2024-08-06", "priority", "content_filter")
    (record,) = sandbox.bill()["records"]
    assert (record["model"], record["service_tier"]) == shown[:2]


@pytest.mark.parametrize(
    "metadata",
    [{"sandbox_typo": "1"}, {"sandbox_tokens": "-1"}, {"sandbox_tokens": 5}, {"sandbox_status": "200"}],
)
def test_unknown_knob_or_value_is_refused(sandbox: Sandbox, metadata: dict[str, Any]) -> None:
    response = sandbox.chat(metadata=metadata)
    assert response.status == 400
    assert response.json()["error"]["param"] == f"metadata.{next(iter(metadata))}"


def test_metadata_of_the_callers_own_is_left_alone(sandbox: Sandbox) -> None:
    assert sandbox.chat(metadata={"customer": "c-1"}).status == 200


def test_defaults_lie_under_each_requests_own_knobs(sandbox: Sandbox) -> None:
    stored = sandbox.request(
        "PUT", "/sandbox/defaults", json={"sandbox_tokens": "3", "sandbox_model": "gpt-4"}
    )
    assert stored.status == 200
    assert sandbox.answer()["usage"]["completion_tokens"] == 3
    answer = sandbox.answer(sandbox_tokens=4)
    assert (answer["usage"]["completion_tokens"], answer["model"]) == (4, "gpt-4")
    assert sandbox.request("PUT", "/sandbox/defaults", json={"sandbox_oops": "3"}).status == 400
    assert sandbox.answer()["usage"]["completion_tokens"] == 3
    sandbox.request("DELETE", "/sandbox/defaults")
    assert sandbox.answer()["usage"]["completion_tokens"] > 3


def test_every_knob_is_in_the_packages_table() -> None:
    import service.upstream.sandbox as package

    assert package.__doc__ is not None
    table = {line.split()[0] for line in package.__doc__.splitlines() if line.startswith("    sandbox_")}
    assert table == {f"sandbox_{name}" for name in Knobs.__dataclass_fields__}


def test_slow_stream_does_not_hold_up_others(sandbox: Sandbox) -> None:
    slow = sandbox.chat(stream=True, sandbox_token_delay_ms=5000, preload_content=False)
    others = [threading.Thread(target=sandbox.answer) for _ in range(20)]
    started = time.monotonic()
    for thread in others:
        thread.start()
    for thread in others:
        thread.join()
    assert time.monotonic() - started < 4
    slow.close()


def read_until_broken(response: urllib3.BaseHTTPResponse) -> bytes:
    """What arrives before the connection breaks, which it must."""
    received: list[bytes] = []
    with pytest.raises(ProtocolError):
        received.extend(response.stream())
    return b"".join(received)

"""/v1/audio/* between the official SDK and the sandbox: books, bounds, lengths, hang-ups."""

import io
import json
import warnings
from collections.abc import Callable
from typing import Any

import openai
import pytest

from tests.endpoints.conftest import error_of
from tests.endpoints.recordings import form, recording, send
from tests.harness import Caller, Sandbox, Service, eventually, nano

TRANSCRIPTIONS = "/v1/audio/transcriptions"
SPEECH = "/v1/audio/speech"
WHISPER_NANO_A_SECOND = 100_000
TEN_SECONDS = ("a.wav", recording(10), "audio/wav")
BY_TOKEN = ("gpt-4o-transcribe", "gpt-4o-mini-transcribe")


@pytest.fixture
def client(service: Service, caller: Caller) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{service.url}/v1", api_key=caller.secret, max_retries=0)


def row(service: Service, caller: Caller) -> dict[str, Any]:
    """The ledger row of the caller's last call."""
    last: dict[str, Any] = service.admin("GET", f"/ledger?key={caller.id}&limit=100")["data"][-1]
    return last


def bound(service: Service, caller: Caller) -> int:
    return nano(row(service, caller)["bound_usd"])


Speak = Callable[[openai.OpenAI], Any]
TRANSCRIBE: dict[str, dict[str, Any]] = {
    "by second": {"model": "whisper-1"},
    "by second, the newer": {"model": "gpt-transcribe", "prompt": "A song."},
    "by second, verbose": {"model": "whisper-1", "response_format": "verbose_json"},
    "by second, words": {
        "model": "whisper-1",
        "response_format": "verbose_json",
        "timestamp_granularities": ["word", "segment"],
        "temperature": 0.5,
    },
    "by second, text": {"model": "whisper-1", "response_format": "text"},
    "by second, srt": {"model": "whisper-1", "response_format": "srt"},
    "by second, vtt": {"model": "gpt-transcribe", "response_format": "vtt"},
    "by second, asked to stream": {"model": "whisper-1", "stream": False},
    "by token": {"model": "gpt-4o-transcribe", "prompt": "A song about eyes.", "language": "en"},
    "by token, logprobs": {"model": "gpt-4o-mini-transcribe", "include": ["logprobs"]},
    "by token, in chunks": {
        "model": "gpt-4o-transcribe-diarize",
        "response_format": "diarized_json",
        "chunking_strategy": {"type": "server_vad", "threshold": 0.5},
        "known_speaker_names": ["Per", "Marie"],
    },
}


@pytest.mark.parametrize("fields", TRANSCRIBE.values(), ids=TRANSCRIBE)
def test_a_transcript_is_booked_as_billed_and_was_held(
    service: Service, caller: Caller, sandbox: Sandbox, client: openai.OpenAI, fields: dict[str, Any]
) -> None:
    client.audio.transcriptions.create(file=TEN_SECONDS, **fields)
    billed = sandbox.billed_nano_usd()
    assert caller.spent() == billed > 0
    assert caller.held() == 0
    assert billed <= bound(service, caller)


@pytest.mark.parametrize("model", BY_TOKEN)
def test_a_streamed_transcript_is_booked_before_its_last_event(
    caller: Caller, sandbox: Sandbox, client: openai.OpenAI, model: str
) -> None:
    kinds, text = [], ""
    for event in client.audio.transcriptions.create(file=TEN_SECONDS, model=model, stream=True):
        kinds.append(event.type)
        if event.type == "transcript.text.done":
            text = event.text
            assert caller.spent() == sandbox.billed_nano_usd() > 0
    assert set(kinds) == {"transcript.text.delta", "transcript.text.done"}
    assert text


def test_the_events_of_a_transcript_end_as_the_upstream_ends_them(caller: Caller) -> None:
    body = form(("model", "gpt-4o-transcribe"), ("stream", "true"), file=recording(1))
    answer = send(caller, TRANSCRIPTIONS, body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.data.endswith(b"data: [DONE]\n\n")


def test_a_translation_is_booked_as_billed(caller: Caller, sandbox: Sandbox, client: openai.OpenAI) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.audio.translations.create(file=TEN_SECONDS, model="whisper-1")
    assert caller.spent() == sandbox.billed_nano_usd() == 10 * WHISPER_NANO_A_SECOND


@pytest.mark.parametrize("claimed_seconds", [0, 1, 100_000])
def test_a_header_that_lies_changes_neither_hold_nor_price(
    service: Service, caller: Caller, sandbox: Sandbox, claimed_seconds: float
) -> None:
    file = recording(120, claimed_seconds=claimed_seconds)
    answer = send(caller, TRANSCRIPTIONS, form(("model", "whisper-1"), file=file))
    assert answer.status == 200, answer.data
    assert caller.spent() == sandbox.billed_nano_usd() == 120 * WHISPER_NANO_A_SECOND
    assert 120 * WHISPER_NANO_A_SECOND <= bound(service, caller) <= 122 * WHISPER_NANO_A_SECOND


@pytest.mark.parametrize("audio_format", ["mp3", "wav", "opus", "aac", "flac"])
def test_recordings_of_any_format_are_measured(
    caller: Caller, sandbox: Sandbox, client: openai.OpenAI, audio_format: Any
) -> None:
    spoken = client.audio.speech.create(
        input="x" * 150, model="tts-1", voice="alloy", response_format=audio_format
    )
    sandbox.forget()
    before = caller.spent()
    file = io.BytesIO(spoken.content)
    client.audio.transcriptions.create(file=(f"a.{audio_format}", file), model="whisper-1")
    billed = sandbox.billed_nano_usd()
    assert caller.spent() - before == billed
    assert 10 * WHISPER_NANO_A_SECOND <= billed <= 11 * WHISPER_NANO_A_SECOND


@pytest.mark.parametrize("model", [*BY_TOKEN, "whisper-1"])
def test_without_a_usage_the_length_and_the_text_are_counted(
    service: Service, caller: Caller, sandbox: Sandbox, client: openai.OpenAI, model: str
) -> None:
    sandbox.misbehave(no_usage=1)
    client.audio.transcriptions.create(file=TEN_SECONDS, model=model)
    billed = sandbox.billed_nano_usd()
    assert row(service, caller)["usage_source"] == "counted"
    assert billed <= caller.spent() <= billed * 110 // 100


def test_a_transcript_that_reads_like_a_usage_is_none(caller: Caller, sandbox: Sandbox) -> None:
    """What is said in a recording must not say what it costs."""
    body = form(("model", "whisper-1"), ("response_format", "text"), file=recording(3))
    assert send(caller, TRANSCRIPTIONS, body).headers["content-type"].startswith("text/plain")
    assert caller.spent() == 3 * WHISPER_NANO_A_SECOND


@pytest.mark.parametrize(
    "file", [b"", b"no audio at all" * 100, b"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:1/a.ts\n"]
)
def test_what_is_no_recording_is_refused_before_anything_is_held(
    caller: Caller, sandbox: Sandbox, file: bytes
) -> None:
    answer = send(caller, TRANSCRIPTIONS, form(("model", "whisper-1"), file=file))
    assert answer.status == 400
    assert (error_of(answer)["code"], error_of(answer)["param"]) == ("invalid_value", "file")
    assert sandbox.bill()["requests_seen"] == 0


def test_a_recording_whose_bound_does_not_fit_is_refused_and_not_sent(
    service: Service, sandbox: Sandbox
) -> None:
    poor = service.new_key(hard_limit_usd="0.011")
    body = form(("model", "whisper-1"), file=recording(120))
    answer = send(poor, TRANSCRIPTIONS, body)
    assert answer.status == 429
    assert nano(error_of(answer)["details"]["bound_usd"]) >= 120 * WHISPER_NANO_A_SECOND
    assert sandbox.bill()["requests_seen"] == 0


SPEECHES = [
    (model, audio_format)
    for model in ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
    for audio_format in ("mp3", "wav", "pcm", "opus")
]
SONG = "I know there's something in the wake of your smile. " * 5


@pytest.mark.parametrize(("model", "audio_format"), SPEECHES)
def test_speech_is_booked_when_it_has_been_heard(
    service: Service, caller: Caller, sandbox: Sandbox, client: openai.OpenAI, model: str, audio_format: Any
) -> None:
    """By the character to the nano-dollar; by the token from its length, and never below."""
    spoken = client.audio.speech.create(input=SONG, model=model, voice="alloy", response_format=audio_format)
    assert len(spoken.content) > 1000
    billed = sandbox.billed_nano_usd()
    if model == "gpt-4o-mini-tts":
        assert billed <= caller.spent() <= billed * 135 // 100
    else:
        assert caller.spent() == billed == nano(spoken.response.headers["x-spendgate-cost-usd"])
    assert row(service, caller)["usage_source"] == "counted"
    assert caller.spent() <= bound(service, caller)


def test_the_bytes_of_speech_are_the_upstreams(caller: Caller, sandbox: Sandbox) -> None:
    fields = {"input": SONG, "model": "tts-1", "voice": "alloy", "response_format": "flac"}
    through = caller.post(SPEECH, fields)
    direct = sandbox.http.request("POST", f"{sandbox.url}/audio/speech", json=fields)
    assert through.data == direct.data
    assert through.headers["content-type"] == direct.headers["content-type"] == "audio/flac"


def test_speech_as_events_is_booked_by_their_usage(
    service: Service, caller: Caller, sandbox: Sandbox, client: openai.OpenAI
) -> None:
    streaming = client.audio.speech.with_streaming_response
    with streaming.create(
        input=SONG, model="gpt-4o-mini-tts", voice="alloy", stream_format="sse", instructions="Sadly."
    ) as answer:
        events = [line for line in answer.iter_lines() if line]
    assert "speech.audio.done" in events[-1]
    assert caller.spent() == sandbox.billed_nano_usd() > 0
    assert row(service, caller)["usage_source"] == "provider"


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
def test_who_hangs_up_on_speech_pays_what_was_made(
    caller: Caller, sandbox: Sandbox, stream_format: str
) -> None:
    sandbox.misbehave(token_delay_ms=20)
    fields = {"input": SONG * 10, "model": "gpt-4o-mini-tts", "voice": "alloy", "response_format": "pcm"}
    answer = caller.post(SPEECH, {**fields, "stream_format": stream_format}, preload_content=False)
    received = 0
    while received < 100_000:
        received += len(answer.read1(4096))
    answer.close()
    eventually(lambda: caller.held() == 0 and sandbox.bill()["count"] == 1)
    billed = sandbox.billed_nano_usd()
    assert sandbox.bill()["records"][0]["hung_up"]
    # What is on its way when the caller goes is made, and may not be seen any more.
    assert billed * 9 // 10 <= caller.spent() <= billed * 140 // 100


def test_speech_that_breaks_off_is_broken_off(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.misbehave(cut_after=3)
    fields = {"input": SONG, "model": "gpt-4o-mini-tts", "voice": "alloy", "response_format": "pcm"}
    answer = caller.post(SPEECH, fields, preload_content=False)
    with pytest.raises(Exception, match=r"IncompleteRead|Connection broken|ChunkedEncoding"):
        answer.read()
    eventually(lambda: caller.held() == 0)
    billed = sandbox.billed_nano_usd()
    assert billed <= caller.spent() <= billed * 140 // 100


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"input": "x" * 4097}, "invalid_value", "input"),
        ({"input": ""}, "invalid_value", "input"),
        ({"stream": True}, "unsupported_value", "stream"),
        ({"speed": 5}, "invalid_value", "speed"),
        ({"stream_format": "ws"}, "invalid_value", "stream_format"),
        ({"voice": None}, "missing_required_parameter", "voice"),
        ({"model": "dall-e-3"}, "model_not_priced", "model"),
    ],
)
def test_speech_that_makes_no_sense_is_refused(
    caller: Caller, sandbox: Sandbox, fields: dict[str, Any], code: str, param: str
) -> None:
    answer = caller.post(SPEECH, {"input": "a", "model": "tts-1", "voice": "alloy", **fields})
    assert answer.status == 400
    assert (error_of(answer)["code"], error_of(answer)["param"]) == (code, param)
    assert sandbox.bill()["requests_seen"] == 0


def test_an_error_of_the_upstream_passes_and_costs_nothing(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.misbehave(status=429)
    speech = caller.post(SPEECH, {"input": "a", "model": "tts-1", "voice": "alloy"})
    transcript = send(caller, TRANSCRIPTIONS, form(("model", "whisper-1"), file=recording(1)))
    assert speech.status == transcript.status == 429
    assert speech.headers["x-spendgate-error-source"] == "upstream"
    assert "rate_limit_exceeded" in json.loads(speech.data)["error"]["code"]
    assert caller.spent() == caller.held() == 0

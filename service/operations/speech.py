"""POST /v1/audio/speech: audio as it comes, or as server-sent events (`stream_format: sse`).

tts-1 and tts-1-hd are billed by the character: what they cost stands in the request. gpt-4o-mini-tts is
billed by tokens of text and of audio; plain audio carries no usage, so it is counted from its length (the
numbers are in service.pricing.audio).
"""

from service.ledger.holds import NOTHING, Demand
from service.operations.base import Body, Operation, Tally, as_it_came
from service.operations.chat_bound import ALLOWANCE_TOKENS, required_rate
from service.operations.speech_tally import SpeechTally
from service.pricing.audio import (
    LEAST_SPOKEN_TOKENS,
    MOST_SPOKEN_TOKENS_PER_BYTE,
    SPOKEN_TOKENS_PER_SECOND,
)
from service.pricing.catalog import Model
from service.pricing.tokens import COUNTING_ENCODING, count_at_most, count_tokens
from service.pricing.usage import Usage
from service.schemas.audio import SPEECH


def _is_by_character(model: Model) -> bool:
    return model.rates.base.character is not None


def _demand(body: Body, model: Model) -> Demand:
    if model.is_free:
        return NOTHING
    characters = len(body.fields["input"])
    if model.rates.base.character is not None:
        return Demand(0, characters * model.rates.base.character, 0, 0, 0)
    input_tokens = count_at_most(_texts(body), model.encoding, None) + ALLOWANCE_TOKENS
    rates = model.rates.at(input_tokens)
    output = max(required_rate(rates.output, "output", model), rates.audio_output or 0)
    spoken = LEAST_SPOKEN_TOKENS + MOST_SPOKEN_TOKENS_PER_BYTE * len(body.fields["input"].encode())
    return Demand(
        input_tokens=input_tokens,
        input_pico_usd=input_tokens * required_rate(rates.input, "input", model),
        output_pico_usd=output,
        cap_tokens=_slowed(spoken, body),
        floor_tokens=0,
    )


def _slowed(tokens: int, body: Body) -> int:
    """A speed below 1 makes more of it. An unknown field might be as slow as it gets."""
    speed = 0.25 if body.unknown else body.fields.get("speed") or 1
    return int(tokens / min(speed, 1)) + 1


def _texts(body: Body) -> str:
    return f"{body.fields['input']}\n{body.fields.get('instructions') or ''}"


def _counted(body: Body, model: Model, demand: Demand, tally: Tally) -> Usage:
    if _is_by_character(model):
        return Usage(characters=len(body.fields["input"]))
    assert isinstance(tally, SpeechTally)
    spoken_ms = tally.spoken_ms(body.fields.get("response_format") or "mp3")
    if spoken_ms is None:
        output_tokens = demand.cap_tokens
    else:
        output_tokens = -(-spoken_ms * SPOKEN_TOKENS_PER_SECOND // 1000)
    return Usage(
        input_tokens=count_tokens(_texts(body), model.encoding or COUNTING_ENCODING),
        output_tokens=output_tokens,
        audio_output_tokens=output_tokens,
    )


SPEECHES = Operation(
    name="audio.speech",
    path="/v1/audio/speech",
    upstream_path="/audio/speech",
    schema=SPEECH,
    demand=_demand,
    outgoing=as_it_came,
    counted=_counted,
    new_tally=SpeechTally,
    sends_bytes=True,
    is_fixed=_is_by_character,
)

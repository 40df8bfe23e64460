"""POST /v1/audio/transcriptions and POST /v1/audio/translations.

Billed by the second (whisper-1, gpt-transcribe) or by tokens of audio and text, as the model is; the
numbers behind the bounds stand in service.pricing.audio. An answer that is plain text has no usage: then
the recording's true length is what was used.
"""

from typing import Any

from service.errors import InvalidRequest, ModelNotPriced
from service.ledger.holds import NOTHING, Demand
from service.operations.base import Body, Operation, Tally, as_it_came, read_object
from service.operations.chat_bound import ALLOWANCE_TOKENS, MOST_PICO_USD, required_rate
from service.operations.transcription_tally import TranscriptionTally
from service.pricing.audio import (
    CHUNK_SECONDS,
    HEARD_TOKENS_PER_SECOND,
    MOST_HEARD_TOKENS_PER_SECOND,
    MOST_REFERENCE_SECONDS,
    MOST_WRITTEN_TOKENS,
    seconds_billed,
)
from service.pricing.catalog import Model
from service.pricing.tokens import COUNTING_ENCODING, count_at_most, count_tokens
from service.pricing.usage import Usage
from service.schemas.audio import TEXT_FORMATS, TRANSCRIPTION, TRANSLATION

# Decoders differ in how they treat the edges of a recording.
EDGE_SECONDS = 1


def _demand(body: Body, model: Model) -> Demand:
    if model.is_free:
        return NOTHING
    seconds = seconds_billed(body.audio_ms) + EDGE_SECONDS + _reference_seconds(body)
    if model.rates.base.second is not None:
        demand = Demand(0, seconds * model.rates.base.second, 0, 0, 0)
    else:
        demand = _demand_by_token(body, model, seconds)
    if demand.input_pico_usd + demand.cap_tokens * demand.output_pico_usd >= MOST_PICO_USD:
        raise InvalidRequest("This recording could cost thousands of dollars.", param="file")
    return demand


def _demand_by_token(body: Body, model: Model, seconds: int) -> Demand:
    if model.rates.base.audio_input is None:
        raise ModelNotPriced(f"There is no price for audio input of '{model.name}'.", param="model")
    in_pieces = bool(body.unknown) or body.fields.get("chunking_strategy") is not None
    text_tokens = count_at_most(_texts(body), model.encoding, None) + ALLOWANCE_TOKENS
    input_tokens = seconds * MOST_HEARD_TOKENS_PER_SECOND + text_tokens
    written = model.max_output_tokens or MOST_WRITTEN_TOKENS
    if in_pieces:
        written *= 1 + seconds // CHUNK_SECONDS
    elif model.context_window is not None:
        input_tokens = min(input_tokens, model.context_window)
    rates = model.rates.at(input_tokens)
    dearest = max(required_rate(rates.audio_input, "audio input", model), rates.input or 0)
    return Demand(
        input_tokens=input_tokens,
        input_pico_usd=input_tokens * dearest,
        output_pico_usd=required_rate(rates.output, "output", model),
        cap_tokens=written,
        floor_tokens=0,
    )


def _reference_seconds(body: Body) -> int:
    return MOST_REFERENCE_SECONDS * len(body.fields.get("known_speaker_references") or ())


def _texts(body: Body) -> str:
    """All the text that goes with the recording."""
    texts = [body.fields.get("prompt") or ""]
    for name in ("keywords", "known_speaker_names", "languages"):
        texts += body.fields.get(name) or ()
    return "\n".join(texts)


def _counted(body: Body, model: Model, demand: Demand, tally: Tally) -> Usage:
    """From the recording's length, and the text that was written."""
    seconds = seconds_billed(body.audio_ms)
    if model.rates.base.second is not None:
        return Usage(seconds=seconds)
    encoding = model.encoding or COUNTING_ENCODING
    heard = (seconds + _reference_seconds(body)) * HEARD_TOKENS_PER_SECOND
    return Usage(
        input_tokens=heard + count_tokens(_texts(body), encoding),
        audio_input_tokens=heard,
        output_tokens=tally.output_tokens(model.encoding),
    )


def _read(body: Body, answer: bytes) -> dict[str, Any] | None:
    """Text, srt and vtt are what they are: nothing in them is taken for a usage."""
    if body.fields.get("response_format") in TEXT_FORMATS:
        return {"text": answer.decode("utf-8", "replace")}
    return read_object(body, answer)


TRANSCRIPTIONS = Operation(
    name="audio.transcriptions",
    path="/v1/audio/transcriptions",
    upstream_path="/audio/transcriptions",
    schema=TRANSCRIPTION,
    demand=_demand,
    outgoing=as_it_came,
    counted=_counted,
    new_tally=TranscriptionTally,
    recording="file",
    read=_read,
)
TRANSLATIONS = Operation(
    name="audio.translations",
    path="/v1/audio/translations",
    upstream_path="/audio/translations",
    schema=TRANSLATION,
    demand=_demand,
    outgoing=as_it_came,
    counted=_counted,
    new_tally=TranscriptionTally,
    recording="file",
    read=_read,
)

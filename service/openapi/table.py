"""What the route table cannot say: each endpoint's body, parameters, answers and faults.

The paths, methods and summaries are the blueprints' own; see `routes`.
"""

from service.openapi.admin_table import ADMIN_TABLE
from service.openapi.described import KEYED, WITH_BODY, Described, Json, json_of, page, query
from service.schemas.audio import SPEECH, TRANSCRIPTION, TRANSLATION
from service.schemas.chat import CHAT_COMPLETION
from service.schemas.completions import COMPLETION
from service.schemas.continuation import CONTINUATION, PRESET
from service.schemas.embeddings import EMBEDDING
from service.schemas.files import FILE_UPLOAD_FORM
from service.schemas.images import IMAGE_EDIT, IMAGE_GENERATION
from service.schemas.moderations import MODERATION
from service.schemas.quote import QUOTED_CALL
from service.schemas.responses import INPUT_TOKENS, RESPONSE
from service.schemas.tokens import TOKENS

PAID = (*KEYED, *WITH_BODY, 415, 429, 502, 504)
FROM_UPSTREAM = (*KEYED, 502, 504)
PAID_HEADERS = (
    "x-spendgate-cost-usd",
    "x-spendgate-remaining-usd",
    "x-spendgate-soft-limit",
    "x-spendgate-max-output-tokens",
    "x-spendgate-upstream",
)


def _events(about: str, *names: str) -> dict[str, Json]:
    """Server-sent events, each described as `{event, data}`; one that names none is a `message`."""
    fields = {"event": {"type": "string", "enum": ["message", *names]}, "data": {"type": "string"}}
    schema = {"type": "object", "description": about, "properties": fields, "required": ["data"]}
    return {"text/event-stream": schema}


def _upstreams_events(about: str) -> dict[str, Json]:
    """As `_events`, of kinds that the upstream names, and may add to."""
    fields = {"event": {"type": "string"}, "data": {"type": "string"}}
    schema = {"type": "object", "description": about, "properties": fields, "required": ["event", "data"]}
    return {"text/event-stream": schema}


_STREAM_COST: Json = {
    "name": "x-spendgate-stream-cost",
    "in": "header",
    "description": "Of a stream: tell the cost in a comment line in front of the last event.",
    "schema": {"type": "string", "enum": ["true", "false"], "default": "false"},
}
FORM = "multipart/form-data"
_TRANSCRIPTS: dict[str, Json] = {
    kind: {"type": "string"} for kind in ("text/plain", "text/vtt", "application/x-subrip")
}
_SPEECH: dict[str, Json] = {
    f"audio/{kind}": {"type": "string", "format": "binary"}
    for kind in ("mpeg", "opus", "aac", "flac", "wav", "pcm")
}
_IMAGE_EVENTS = _events("With `stream: true`: OpenAI's own events; or an error, if it breaks.")
TABLE: dict[str, Described] = {
    "chat.complete_chat": Described(
        body=CHAT_COMPLETION,
        content=json_of("ChatCompletion")
        | _events(
            "With `stream: true`: OpenAI's own events, then `data: [DONE]`; or an error, if it breaks."
        ),
        parameters=(_STREAM_COST,),
        faults=PAID,
        headers=PAID_HEADERS,
        more="As OpenAI has it: the answer is the upstream's own, byte for byte. Parameters that are not "
        "listed here reach the upstream, too.",
    ),
    "completions.complete_text": Described(
        body=COMPLETION,
        content=json_of("TextCompletion")
        | _events(
            "With `stream: true`: OpenAI's own events, then `data: [DONE]`; or an error, if it breaks."
        ),
        parameters=(_STREAM_COST,),
        faults=PAID,
        headers=PAID_HEADERS,
        more="Held at the tokens of all prompts, and for each prompt at `max_tokens` times the larger of `n` "
        "and `best_of`.",
    ),
    "embeddings.embed": Described(
        body=EMBEDDING, content=json_of("EmbeddingList"), faults=PAID, headers=PAID_HEADERS
    ),
    "images.generate_images": Described(
        body=IMAGE_GENERATION,
        content=json_of("Images") | _IMAGE_EVENTS,
        parameters=(_STREAM_COST,),
        faults=PAID,
        headers=PAID_HEADERS,
        more="Held at the prompt's tokens and the most that images of that size and quality can count.",
    ),
    "images.edit_images": Described(
        body=IMAGE_EDIT,
        body_type=FORM,
        content=json_of("Images") | _IMAGE_EVENTS,
        parameters=(_STREAM_COST,),
        faults=PAID,
        headers=PAID_HEADERS,
        more="As generations, and the images put in. The form goes up as it came.",
    ),
    "audio.transcribe": Described(
        body=TRANSCRIPTION,
        body_type=FORM,
        content=json_of("Transcript")
        | _TRANSCRIPTS
        | _events("With `stream: true`: OpenAI's own events; or an error, if it breaks."),
        parameters=(_STREAM_COST,),
        faults=PAID,
        headers=PAID_HEADERS,
        more="Held at the recording's true length, found by decoding it. The form goes up as it came.",
    ),
    "audio.translate": Described(
        body=TRANSLATION,
        body_type=FORM,
        content=json_of("Transcript") | _TRANSCRIPTS,
        faults=PAID,
        headers=PAID_HEADERS,
        more="As transcriptions.",
    ),
    "audio.speak": Described(
        body=SPEECH,
        content=_SPEECH
        | _events("With `stream_format: sse`: OpenAI's own events; or an error, if it breaks."),
        parameters=(_STREAM_COST,),
        faults=PAID,
        headers=PAID_HEADERS,
        more="The bytes go out as they come. Models that are priced by token are counted by how long they "
        "speak, where no usage tells it.",
    ),
    "moderations.moderate": Described(
        body=MODERATION,
        content=json_of("ModerationResult"),
        faults=(*FROM_UPSTREAM, *WITH_BODY, 415),
        headers=("x-spendgate-upstream",),
        passes_errors_on=True,
        more="Costs nothing: any moderation model, and no other.",
    ),
    "responses.create_response": Described(
        body=RESPONSE,
        content=json_of("Response")
        | _upstreams_events(
            "With `stream: true`: OpenAI's own events, each named as its data's `type`; or an `error`, if it "
            "breaks."
        ),
        parameters=(_STREAM_COST,),
        faults=(*PAID, 404),
        headers=PAID_HEADERS,
        more="As OpenAI has it: the answer is the upstream's own, byte for byte. Of a stored response "
        "(`store` is true unless said otherwise) its tokens are remembered for 30 days: a response that "
        "continues it is held at these besides its own. Hosted tools are refused.",
    ),
    "responses.count_response_input": Described(
        body=INPUT_TOKENS,
        content=json_of("InputTokenCount"),
        faults=(*FROM_UPSTREAM, *WITH_BODY, 404, 415),
        headers=("x-spendgate-upstream",),
        passes_errors_on=True,
        more="Costs nothing, and takes what creating a response would take.",
    ),
    "responses.show_response": Described(
        content=json_of("Response"),
        faults=(*FROM_UPSTREAM, 404),
        headers=("x-spendgate-upstream",),
        passes_errors_on=True,
        more="The query goes to the upstream as it is.",
    ),
    "responses.delete_response": Described(
        content=json_of("DeletedResponse"),
        faults=(*FROM_UPSTREAM, 404),
        headers=("x-spendgate-upstream",),
        passes_errors_on=True,
    ),
    "chat.run_continuation": Described(
        body=CONTINUATION,
        content=json_of("Continuation")
        | _events(
            "With `stream: true`: of each round `round.delta` and `round.completed`; at the end the whole, "
            "as without, and `data: [DONE]`. Each event's data is JSON, whose `type` is the event's name.",
            "continuation.created",
            "round.delta",
            "round.completed",
            "continuation.completed",
            "continuation.incomplete",
        ),
        faults=(*PAID, 404),
        headers=("x-spendgate-upstream",),
        more="Each round is a call of its own, with its own hold and ledger row; its reply becomes context "
        "for the next. A run that fails after its first round answers with what it has.",
    ),
    "conversations.show_continuation": Described(
        content=json_of("Continuation"), faults=(*KEYED, 404), headers=("x-spendgate-upstream",)
    ),
    "conversations.delete_continuation": Described(
        content=json_of("DeletedContinuation"), faults=(*KEYED, 404), headers=("x-spendgate-upstream",)
    ),
    "presets.put_preset": Described(
        body=PRESET,
        content=json_of("Preset"),
        faults=(*KEYED, *WITH_BODY, 409, 415),
        headers=("x-spendgate-upstream",),
        more="Parameters stand by themselves or under `parameters`. What a continuation says itself goes "
        "before what its preset says.",
    ),
    "presets.show_preset": Described(
        content=json_of("Preset"), faults=(*KEYED, 404), headers=("x-spendgate-upstream",)
    ),
    "presets.delete_preset": Described(
        content=json_of("DeletedPreset"), faults=(*KEYED, 404), headers=("x-spendgate-upstream",)
    ),
    "presets.list_presets": Described(
        parameters=page(100),
        content=json_of("PresetList"),
        faults=(*KEYED, 400),
        headers=("x-spendgate-upstream",),
    ),
    "files.upload_file": Described(
        body=FILE_UPLOAD_FORM,
        body_type=FORM,
        content=json_of("File"),
        faults=(*FROM_UPSTREAM, *WITH_BODY, 409, 415),
        headers=("x-spendgate-upstream",),
        passes_errors_on=True,
        more="The form goes up as it came. The file belongs to the key's project, whose prompts may name it.",
    ),
    "files.list_files": Described(
        parameters=(
            *page(10_000, default=10_000),
            query("order", "By the time of upload.", enum=["desc", "asc"], default="desc"),
            query("purpose", "Only files for this."),
        ),
        content=json_of("FileList"),
        faults=(*KEYED, 400),
        headers=("x-spendgate-upstream",),
        more="Each file as it was when it was uploaded.",
    ),
    "files.show_file": Described(
        content=json_of("File"),
        faults=(*FROM_UPSTREAM, 404),
        headers=("x-spendgate-upstream",),
        passes_errors_on=True,
    ),
    "files.read_file": Described(
        content={"application/octet-stream": {"type": "string", "format": "binary"}},
        faults=(*FROM_UPSTREAM, 404),
        headers=("x-spendgate-upstream",),
        passes_errors_on=True,
        more="The bytes go out as they come, with the upstream's own content type.",
    ),
    "files.delete_file": Described(
        content=json_of("DeletedFile"),
        faults=(*FROM_UPSTREAM, 404),
        headers=("x-spendgate-upstream",),
        passes_errors_on=True,
    ),
    "quotes.quote_call": Described(
        body=QUOTED_CALL,
        content=json_of("Quote"),
        faults=(*KEYED, *WITH_BODY, 404, 415),
        headers=("x-spendgate-upstream",),
        more="`path` is the call's, after `/v1/`, and the body is the call's own: a form where that takes "
        "one. Nothing is held and nothing is sent. Of a continuation all rounds are counted, each with the "
        "longest replies of those before; it is admitted when its first round is.",
    ),
    "tokens.count_tokens": Described(
        body=TOKENS,
        content=json_of("TokenCount"),
        faults=(*KEYED, *WITH_BODY, 415),
        headers=("x-spendgate-upstream",),
    ),
    "models.list_models": Described(
        content=json_of("ModelList"), faults=FROM_UPSTREAM, headers=("x-spendgate-upstream",)
    ),
    "models.show_model": Described(
        content=json_of("Model"), faults=(*FROM_UPSTREAM, 404), headers=("x-spendgate-upstream",)
    ),
    "key.show_own_key": Described(content=json_of("OwnKey"), faults=KEYED, headers=("x-spendgate-upstream",)),
    "health.healthz": Described(content=json_of("Status")),
    "health.readyz": Described(content=json_of("Status"), faults=(500, 503)),
    "docs.show_docs": Described(content={"text/html": {"type": "string"}}),
    "docs.openapi": Described(content={"application/yaml": {"type": "object"}}),
} | ADMIN_TABLE

"""The body of POST /v1/chat/completions: every documented parameter, typed and bounded.

Source: openai/types/chat/completion_create_params.py (openai 3.54). What cannot be bounded in cost, or would
reach another tenant's data, is `Refused`. Unknown parameters pass: `check.unknown_fields` names them.
"""

from typing import Any

from service.schemas.faults import fault
from service.schemas.fields import (
    AnyObject,
    Boolean,
    Integer,
    ListOf,
    MapOf,
    Number,
    Object,
    OneOf,
    Refused,
    String,
    Tagged,
)
from service.schemas.messages import messages_field
from service.schemas.shape import Shape
from service.schemas.tools import NAME, function_call_field, functions_field, tool_choice_field, tools_field

MAX_OUTPUT_TOKENS = 2**31 - 1
REFUSED_MODELS = ("search-preview", "search-api", "deep-research")
VOICES = "alloy, ash, ballad, coral, echo, sage, shimmer, verse, marin, cedar or one of your own"
EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
TIERS = ["auto", "default", "flex", "scale", "priority", "fast"]


def _no_search(model: str) -> None:
    if any(part in model.lower() for part in REFUSED_MODELS):
        raise fault("unsupported_value", "search and deep-research models have a cost without bound")


def model_field(**rest: Any) -> String:
    return String("The model's id.", min=1, max=256, validate=[_no_search], **rest)


class AudioVoice(Shape):
    id = String("The voice's id.", min=1, max=256, required=True)


class AudioOutput(Shape):
    voice = OneOf(
        f"{VOICES}.", String("Its name.", min=1, max=256), Object("One by id.", AudioVoice()), required=True
    )
    format = String(
        "What the audio is encoded as.", choices=["wav", "aac", "mp3", "flac", "opus", "pcm16"], required=True
    )


class JSONSchemaDefinition(Shape):
    name = String("The format's name.", max=64, pattern=NAME, required=True)
    description = String("What the format is for.")
    schema = AnyObject("The JSON schema.")
    strict = Boolean("Whether the model keeps to the schema exactly.")


def _format_kind(name: str) -> String:
    return String("Which format.", choices=[name], required=True)


class TextResponse(Shape):
    type = _format_kind("text")


class JSONObjectResponse(Shape):
    type = _format_kind("json_object")


class JSONSchemaResponse(Shape):
    type = _format_kind("json_schema")
    json_schema = Object("The schema.", JSONSchemaDefinition(), required=True)


class Moderation(Shape):
    model = String("The moderation model.", min=1, max=256, required=True)
    policy = AnyObject("What is done about input and output.")


class PromptCacheOptions(Shape):
    mode = String("Whether a breakpoint is set for you.", choices=["implicit", "explicit"])
    ttl = String("The least lifetime of what is cached.", choices=["30m"])


class StreamOptions(Shape):
    include_usage = Boolean("Send the usage as the last event.")
    include_obfuscation = Boolean("Pad the events to even out their size.")


class ChatParameters(Shape):
    """What goes unchanged into a chat completion, be it a caller's own or a continuation's round."""

    best_of = Refused("chat completions have no candidates besides their choices")
    max_tokens = Integer(
        "Deprecated: use `max_completion_tokens`.", min=1, max=MAX_OUTPUT_TOKENS, deprecated=True
    )
    max_completion_tokens = Integer("The output cap, reasoning included.", min=1, max=MAX_OUTPUT_TOKENS)
    n = Integer("How many choices to make.", min=1, max=128)
    temperature = Number("Sampling temperature.", min=0, max=2)
    top_p = Number("Nucleus sampling: the probability mass considered.", min=0, max=1)
    presence_penalty = Number("Penalty on tokens that appeared.", min=-2, max=2)
    frequency_penalty = Number("Penalty on tokens by how often they appeared.", min=-2, max=2)
    logit_bias = MapOf(
        "Bias by token id.", Number("From -100 to 100.", min=-100, max=100), max=2048, max_name=20
    )
    logprobs = Boolean("Return the log probabilities of the output tokens.")
    top_logprobs = Integer("How many likely tokens to return at each place.", min=0, max=20)
    stop = OneOf(
        "Up to 4 texts at which the output ends.",
        String("One text."),
        ListOf("Several.", String("A text."), min=1, max=4),
    )
    seed = Integer("Sample deterministically, as far as possible.", min=-(2**63), max=2**63 - 1)
    user = String("Deprecated: use `safety_identifier`.", max=1024, deprecated=True)
    safety_identifier = String("Identifies your end user.", max=128)
    metadata = MapOf(
        "Up to 16 pairs attached to the completion.", String("A value.", max=512), max=16, max_name=64
    )
    tools = tools_field()
    tool_choice = tool_choice_field()
    parallel_tool_calls = Boolean("Whether several tools may be called at once.")
    functions = functions_field()
    function_call = function_call_field()
    response_format = Tagged(
        "The format of the output.",
        "type",
        {"text": TextResponse(), "json_object": JSONObjectResponse(), "json_schema": JSONSchemaResponse()},
    )
    reasoning_effort = String("How long to reason.", choices=EFFORTS)
    verbosity = String("How wordy the answer is.", choices=["low", "medium", "high"])
    modalities = ListOf(
        "The kinds of output.", String("A kind.", choices=["text", "audio"]), min=1, max=2, unique=True
    )
    audio = Object("What audio output sounds like.", AudioOutput())
    service_tier = String("The tier, and so the rates.", choices=TIERS)
    prompt_cache_key = String("Groups requests with a like prompt.", max=1024)
    prompt_cache_retention = String("How long cached prompts are kept.", choices=["in_memory", "24h"])
    prompt_cache_options = Object("How the prompt is cached.", PromptCacheOptions())
    moderation = Object("Moderate input and output.", Moderation())

    web_search_options = Refused("web search is not offered: its cost has no bound")
    prediction = Refused("predicted outputs are not offered: their cost has no bound")
    background = Refused("background calls are not offered", harmless=(False,))
    conversation = Refused("stored conversations are not offered")
    context_management = Refused("context management is not offered")

    def check_together(self, data: dict[str, Any]) -> None:
        if data.get("max_tokens") is not None and data.get("max_completion_tokens") is not None:
            because = "max_tokens and max_completion_tokens exclude each other"
            raise fault("invalid_parameter_combination", because, at="max_tokens")


class ChatCompletionSchema(ChatParameters):
    model = model_field(required=True)
    messages = messages_field(required=True)
    stream = Boolean("Send the completion as server-sent events.")
    stream_options = Object("Only with `stream: true`.", StreamOptions())
    store = Boolean("Keep the completion at OpenAI.")
    prompt = Refused("stored prompts are not offered")

    def check_together(self, data: dict[str, Any]) -> None:
        super().check_together(data)
        if data.get("stream_options") is not None and data.get("stream") is not True:
            because = "stream_options is only allowed with stream: true"
            raise fault("invalid_parameter_combination", because, at="stream_options")


CHAT_COMPLETION = ChatCompletionSchema()

# By name: what a continuation takes over from its own body into each of its rounds.
SHARED_PARAMETERS = ChatParameters().load_fields

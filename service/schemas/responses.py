"""The bodies of POST /v1/responses and POST /v1/responses/input_tokens.

Source: openai/types/responses/response_create_params.py and input_token_count_params.py (openai 3.54).
Refused is what has no bound (hosted tools, background calls) or reaches what other tenants may have stored.
"""

from typing import Any

from service.schemas.chat import (
    EFFORTS,
    MAX_OUTPUT_TOKENS,
    TIERS,
    Moderation,
    PromptCacheOptions,
    model_field,
)
from service.schemas.faults import fault, missing
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
from service.schemas.response_items import MAX_ID_CHARACTERS, input_field
from service.schemas.shape import Shape
from service.schemas.tools import MAX_TOOLS, NAME, TextFormat

# OpenAI refuses a smaller cap.
LEAST_OUTPUT_TOKENS = 16

INCLUDABLE = [
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
]
SUMMARIES = ["auto", "concise", "detailed"]


def _kind(name: str) -> String:
    return String("What kind of thing this is.", choices=[name], required=True)


def _tool_name() -> String:
    return String("The name: letters, digits, underscores and dashes.", max=64, pattern=NAME, required=True)


class ResponseFunctionTool(Shape):
    type = _kind("function")
    name = _tool_name()
    description = String("What the function does.")
    parameters = AnyObject("Its parameters, as a JSON schema.")
    output_schema = AnyObject("What it returns, as a JSON schema.")
    strict = Boolean("Whether the model keeps to the schema exactly.")


class ResponseGrammarFormat(Shape):
    type = _kind("grammar")
    definition = String("The grammar.", required=True)
    syntax = String("How it is written.", choices=["lark", "regex"], required=True)


class ResponseCustomTool(Shape):
    type = _kind("custom")
    name = _tool_name()
    description = String("What the tool does.")
    format = Tagged(
        "What its input looks like.", "type", {"text": TextFormat(), "grammar": ResponseGrammarFormat()}
    )


class ResponseFunctionChoice(Shape):
    type = _kind("function")
    name = _tool_name()


class ResponseCustomChoice(Shape):
    type = _kind("custom")
    name = _tool_name()


_NAMED: dict[str, Shape] = {"function": ResponseFunctionChoice(), "custom": ResponseCustomChoice()}


class ResponseAllowedTools(Shape):
    type = _kind("allowed_tools")
    mode = String("Whether one of them must be called.", choices=["auto", "required"], required=True)
    tools = ListOf(
        "The tools the model may call.",
        Tagged("A tool.", "type", _NAMED, "unsupported_value"),
        max=MAX_TOOLS,
        required=True,
    )


class ResponseTextFormat(Shape):
    type = _kind("text")


class ResponseJSONObjectFormat(Shape):
    type = _kind("json_object")


class ResponseJSONSchemaFormat(Shape):
    type = _kind("json_schema")
    name = String("The format's name.", max=64, pattern=NAME, required=True)
    schema = AnyObject("The JSON schema.", required=True)
    description = String("What the format is for.")
    strict = Boolean("Whether the model keeps to the schema exactly.")


class ResponseText(Shape):
    format = Tagged(
        "The format of the text.",
        "type",
        {
            "text": ResponseTextFormat(),
            "json_object": ResponseJSONObjectFormat(),
            "json_schema": ResponseJSONSchemaFormat(),
        },
    )
    verbosity = String("How wordy the answer is.", choices=["low", "medium", "high"])


class ResponseReasoning(Shape):
    effort = String("How long to reason.", choices=EFFORTS)
    summary = String("Tell in short what was thought.", choices=SUMMARIES)
    generate_summary = String("Deprecated: use `summary`.", choices=SUMMARIES, deprecated=True)
    context = String("Of which turns.", choices=["auto", "current_turn", "all_turns"])
    mode = String("How to reason.", max=64)


class ResponseCacheOptions(PromptCacheOptions):
    ttl = String("The least lifetime of what is cached.", choices=["30m", "12h"])
    prewarm = Boolean("Cache the prompt, and answer nothing.")
    comparison_response_id = Refused("cache diagnostics are not offered")


class ResponseImage(Shape):
    context_compression = String("Whether images are compressed.", choices=["auto", "enabled", "disabled"])


class ResponseStreamOptions(Shape):
    include_obfuscation = Boolean("Pad the events to even out their size.")


class ResponseContext(Shape):
    """What a model is given: what is counted, and what is paid as input."""

    input = input_field()
    instructions = String("The system's or developer's message.")
    previous_response_id = String(
        "A response of this project that is continued.", min=1, max=MAX_ID_CHARACTERS
    )
    tools = ListOf(
        "The tools the model may call.",
        Tagged(
            "A tool.",
            "type",
            {"function": ResponseFunctionTool(), "custom": ResponseCustomTool()},
            "unsupported_value",
        ),
        max=MAX_TOOLS,
    )
    tool_choice = OneOf(
        "Which tool the model is to call.",
        String("Any or none.", choices=["none", "auto", "required"]),
        Tagged(
            "A certain one, or some.",
            "type",
            _NAMED | {"allowed_tools": ResponseAllowedTools()},
            "unsupported_value",
        ),
    )
    parallel_tool_calls = Boolean("Whether several tools may be called at once.")
    text = Object("What the text is like.", ResponseText())
    reasoning = Object("How to reason.", ResponseReasoning())
    truncation = String("What to do with too much input.", choices=["auto", "disabled"])

    conversation = Refused("stored conversations are not offered")
    prompt = Refused("stored prompts are not offered")
    context_management = Refused("context management is not offered")

    def check_together(self, data: dict[str, Any]) -> None:
        if data.get("input") is None and data.get("previous_response_id") is None:
            raise missing("input")


class InputTokensSchema(ResponseContext):
    model = model_field()
    personality = String("How the model sounds.", max=64)


class ResponseSchema(ResponseContext):
    model = model_field(required=True)
    max_output_tokens = Integer(
        "The output cap, reasoning included.", min=LEAST_OUTPUT_TOKENS, max=MAX_OUTPUT_TOKENS
    )
    max_tool_calls = Integer(
        "The most calls of hosted tools, of which there are none.", max=MAX_OUTPUT_TOKENS
    )
    temperature = Number("Sampling temperature.", min=0, max=2)
    top_p = Number("Nucleus sampling: the probability mass considered.", min=0, max=1)
    top_logprobs = Integer("How many likely tokens to return at each place.", max=20)
    include = ListOf(
        "What else the answer is to hold.", String("A thing.", choices=INCLUDABLE), max=len(INCLUDABLE)
    )
    image = Object("How images are taken in.", ResponseImage())
    metadata = MapOf(
        "Up to 16 pairs attached to the response.", String("A value.", max=512), max=16, max_name=64
    )
    store = Boolean("Keep the response, to be read and continued. The default is true.")
    stream = Boolean("Send the response as server-sent events.")
    stream_options = Object("Only with `stream: true`.", ResponseStreamOptions())
    service_tier = String("The tier, and so the rates.", choices=TIERS)
    user = String("Deprecated: use `safety_identifier`.", max=1024, deprecated=True)
    safety_identifier = String("Identifies your end user.", max=128)
    prompt_cache_key = String("Groups requests with a like prompt.", max=1024)
    prompt_cache_retention = String("How long cached prompts are kept.", choices=["in_memory", "24h"])
    prompt_cache_options = Object("How the prompt is cached.", ResponseCacheOptions())
    moderation = Object("Moderate input and output.", Moderation())
    access_programs = AnyObject("Which access programs are used.")

    background = Refused("background calls are not offered", harmless=(False,))
    background_options = Refused("background calls are not offered")
    web_search_options = Refused("web search is not offered: its cost has no bound")
    prediction = Refused("predicted outputs are not offered: their cost has no bound")

    def check_together(self, data: dict[str, Any]) -> None:
        super().check_together(data)
        if data.get("stream_options") is not None and data.get("stream") is not True:
            because = "stream_options is only allowed with stream: true"
            raise fault("invalid_parameter_combination", because, at="stream_options")


RESPONSE = ResponseSchema()
INPUT_TOKENS = InputTokensSchema()

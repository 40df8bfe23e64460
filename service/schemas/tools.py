"""Tools and which of them the model is to call. Hosted tools are refused: their cost has no bound.

Source: openai/types/chat/chat_completion_*_tool_*param.py.
"""

from service.schemas.fields import AnyObject, Boolean, ListOf, Object, OneOf, String, Tagged
from service.schemas.shape import Shape

MAX_TOOLS = 128
NAME = (r"^[A-Za-z0-9_-]{1,64}$", "1 to 64 letters, digits, underscores and dashes")


def _tool_name() -> String:
    return String("The name: letters, digits, underscores and dashes.", max=64, pattern=NAME, required=True)


def _kind(name: str) -> String:
    return String("What kind of tool this is.", choices=[name], required=True)


class FunctionDefinition(Shape):
    name = _tool_name()
    description = String("What the function does.")
    parameters = AnyObject("Its parameters, as a JSON schema.")
    strict = Boolean("Whether the model keeps to the schema exactly.")


class FunctionTool(Shape):
    type = _kind("function")
    function = Object("The function.", FunctionDefinition(), required=True)


class Grammar(Shape):
    definition = String("The grammar.", required=True)
    syntax = String("How it is written.", choices=["lark", "regex"], required=True)


class TextFormat(Shape):
    type = String("Free text.", choices=["text"], required=True)


class GrammarFormat(Shape):
    type = String("A grammar.", choices=["grammar"], required=True)
    grammar = Object("The grammar.", Grammar(), required=True)


class CustomDefinition(Shape):
    name = _tool_name()
    description = String("What the tool does.")
    format = Tagged("What its input looks like.", "type", {"text": TextFormat(), "grammar": GrammarFormat()})


class CustomTool(Shape):
    type = _kind("custom")
    custom = Object("The tool.", CustomDefinition(), required=True)


class ToolName(Shape):
    name = _tool_name()


class FunctionChoice(Shape):
    type = _kind("function")
    function = Object("The function.", ToolName(), required=True)


class CustomChoice(Shape):
    type = _kind("custom")
    custom = Object("The tool.", ToolName(), required=True)


_NAMED: dict[str, Shape] = {"function": FunctionChoice(), "custom": CustomChoice()}


class AllowedTools(Shape):
    mode = String("Whether one of them must be called.", choices=["auto", "required"], required=True)
    tools = ListOf(
        "The tools the model may call.",
        Tagged("A tool.", "type", _NAMED, refusal="unsupported_value"),
        max=MAX_TOOLS,
        required=True,
    )


class AllowedToolsChoice(Shape):
    type = String("A choice among several tools.", choices=["allowed_tools"], required=True)
    allowed_tools = Object("The tools and the mode.", AllowedTools(), required=True)


class DeprecatedFunction(Shape):
    name = _tool_name()
    description = String("What the function does.")
    parameters = AnyObject("Its parameters, as a JSON schema.")


def tools_field() -> ListOf:
    shapes: dict[str, Shape] = {"function": FunctionTool(), "custom": CustomTool()}
    tool = Tagged("A tool.", "type", shapes, refusal="unsupported_value")
    return ListOf("The tools the model may call.", tool, max=MAX_TOOLS)


def tool_choice_field() -> OneOf:
    return OneOf(
        "Which tool the model is to call.",
        String("Any or none.", choices=["none", "auto", "required"]),
        Tagged(
            "A certain one, or some.",
            "type",
            _NAMED | {"allowed_tools": AllowedToolsChoice()},
            refusal="unsupported_value",
        ),
    )


def functions_field() -> ListOf:
    function = Object("A function.", DeprecatedFunction())
    return ListOf("Deprecated: use `tools`.", function, min=1, max=MAX_TOOLS, deprecated=True)


def function_call_field() -> OneOf:
    return OneOf(
        "Deprecated: use `tool_choice`.",
        String("Any or none.", choices=["none", "auto"]),
        Object("A certain one.", ToolName()),
        deprecated=True,
    )

"""The messages of a chat, a shape for each role.

Source: openai/types/chat/chat_completion_*_message_param.py.
"""

from typing import Any

from service.schemas.content import assistant_content, text_content, user_content
from service.schemas.faults import missing
from service.schemas.fields import ListOf, Object, Refused, String, Tagged
from service.schemas.shape import Shape
from service.schemas.tools import MAX_TOOLS

MAX_MESSAGES = 2048


def _role(name: str) -> String:
    return String("Who speaks.", choices=[name], required=True)


def _name(**rest: Any) -> String:
    return String("Tells apart speakers of one role.", min=1, max=256, **rest)


class DeveloperMessage(Shape):
    role = _role("developer")
    content = text_content(required=True)
    name = _name()


class SystemMessage(Shape):
    role = _role("system")
    content = text_content(required=True)
    name = _name()


class UserMessage(Shape):
    role = _role("user")
    content = user_content(required=True)
    name = _name()


class CalledFunction(Shape):
    name = String("The function's name.", required=True)
    arguments = String("Its arguments, as the model wrote them.", required=True)


class CalledCustom(Shape):
    name = String("The tool's name.", required=True)
    input = String("Its input, as the model wrote it.", required=True)


class FunctionToolCall(Shape):
    id = String("The call's id.", min=1, required=True)
    type = String("What kind of tool was called.", choices=["function"], required=True)
    function = Object("The call.", CalledFunction(), required=True)


class CustomToolCall(Shape):
    id = String("The call's id.", min=1, required=True)
    type = String("What kind of tool was called.", choices=["custom"], required=True)
    custom = Object("The call.", CalledCustom(), required=True)


class AssistantMessage(Shape):
    role = _role("assistant")
    content = assistant_content()
    name = _name()
    refusal = String("What the model said when it refused.")
    tool_calls = ListOf(
        "The tools the model called.",
        Tagged("One call.", "type", {"function": FunctionToolCall(), "custom": CustomToolCall()}),
        max=MAX_TOOLS,
    )
    function_call = Object("Deprecated: the function the model called.", CalledFunction(), deprecated=True)
    audio = Refused("audio ids are not known to belong to this project")

    def check_together(self, data: dict[str, Any]) -> None:
        if all(data.get(name) is None for name in ("content", "refusal", "tool_calls", "function_call")):
            raise missing("content")


class ToolMessage(Shape):
    role = _role("tool")
    content = text_content(required=True)
    tool_call_id = String("The call this answers.", min=1, required=True)


class FunctionMessage(Shape):
    role = _role("function")
    content = String("What the function returned.")
    name = _name(required=True)


_SHAPES: dict[str, Shape] = {
    "developer": DeveloperMessage(),
    "system": SystemMessage(),
    "user": UserMessage(),
    "assistant": AssistantMessage(),
    "tool": ToolMessage(),
    "function": FunctionMessage(),
}


def messages_field(**rest: Any) -> ListOf:
    return ListOf("The conversation.", Tagged("A message.", "role", _SHAPES), min=1, max=MAX_MESSAGES, **rest)

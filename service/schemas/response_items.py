"""The items a response's input is made of, and the parts of their content.

Source: openai/types/responses/response_input_param.py. Messages, reasoning, and the calls and outputs of the
caller's own tools; every other item belongs to a hosted tool, or names what another tenant may have stored.
"""

from collections.abc import Iterator
from typing import Any

from service.schemas.content import (
    MAX_PARTS,
    Part,
    RefusalPart,
    file_data_field,
    file_id_field,
    image_url_field,
    require_one,
)
from service.schemas.faults import fault
from service.schemas.fields import AnyObject, ListOf, OneOf, Refused, String, Tagged
from service.schemas.shape import Shape

MAX_ITEMS = 4096
MAX_ID_CHARACTERS = 256
STATUSES = ["in_progress", "completed", "incomplete"]

MEDIA_PARTS = ("input_image", "input_file")


def _kind(name: str, *, required: bool = True) -> String:
    return String("What kind of thing this is.", choices=[name], required=required)


def _id(about: str = "The item's id.", **rest: Any) -> String:
    return String(about, min=1, max=MAX_ID_CHARACTERS, **rest)


class InputTextPart(Part):
    type = _kind("input_text")
    text = String("The text.", required=True)


class InputImagePart(Part):
    type = _kind("input_image")
    image_url = image_url_field()
    detail = String("How closely the image is read.", choices=["auto", "low", "high", "original"])
    file_id = file_id_field()

    def check_together(self, data: dict[str, Any]) -> None:
        require_one(data, "image_url", "file_id")


class InputFilePart(Part):
    type = _kind("input_file")
    file_data = file_data_field()
    filename = String("The file's name.", max=1024)
    detail = String("How closely the file's pages are read.", choices=["auto", "low", "high"])
    file_id = file_id_field()
    file_url = Refused("files are taken inline, as file_data, or by their id")

    def check_together(self, data: dict[str, Any]) -> None:
        require_one(data, "file_data", "file_id")


class OutputTextPart(Shape):
    type = _kind("output_text")
    text = String("The text.", required=True)
    annotations = ListOf("What the text refers to.", AnyObject("One note."), max=MAX_PARTS)
    logprobs = ListOf("Log probabilities of the tokens.", AnyObject("Of one token."), max=2**20)


_INPUT = {"input_text": InputTextPart(), "input_image": InputImagePart(), "input_file": InputFilePart()}
_MESSAGE: dict[str, Shape] = _INPUT | {"output_text": OutputTextPart(), "refusal": RefusalPart()}


def _content(about: str, shapes: dict[str, Any]) -> OneOf:
    parts = ListOf("The parts, in order.", Tagged("One part.", "type", shapes), max=MAX_PARTS)
    return OneOf(about, String("The text."), parts, required=True)


class InputMessage(Shape):
    """A caller's message, or one of the model's given back."""

    type = _kind("message", required=False)
    role = String("Who speaks.", choices=["user", "assistant", "system", "developer"], required=True)
    content = _content("A text, or parts of text, images and files.", _MESSAGE)
    id = _id()
    status = String("How far it came.", choices=STATUSES)
    phase = String("Of an assistant's.", choices=["commentary", "final_answer"])


class FunctionCallItem(Shape):
    type = _kind("function_call")
    call_id = _id("The call's id.", required=True)
    name = String("The function's name.", min=1, max=256, required=True)
    arguments = String("Its arguments, as the model wrote them.", required=True)
    id = _id()
    status = String("How far it came.", choices=STATUSES)


class FunctionCallOutputItem(Shape):
    type = _kind("function_call_output")
    call_id = _id("The call this answers.")
    output = _content("What the function returned.", dict(_INPUT))
    id = _id()
    status = String("How far it came.", choices=STATUSES)


class CustomToolCallItem(Shape):
    type = _kind("custom_tool_call")
    call_id = _id("The call's id.", required=True)
    name = String("The tool's name.", min=1, max=256, required=True)
    input = String("Its input, as the model wrote it.", required=True)
    id = _id()


class CustomToolCallOutputItem(Shape):
    type = _kind("custom_tool_call_output")
    call_id = _id("The call this answers.", required=True)
    output = _content("What the tool returned.", dict(_INPUT))
    id = _id()


class SummaryText(Shape):
    type = _kind("summary_text")
    text = String("The text.", required=True)


class ReasoningText(Shape):
    type = _kind("reasoning_text")
    text = String("The text.", required=True)


class ReasoningItem(Shape):
    """Without `encrypted_content` the upstream looks it up by its id: a response of the project has to have
    brought it (service.operations.response_context)."""

    type = _kind("reasoning")
    id = _id()
    summary = ListOf(
        "What was thought, in short.",
        Tagged("A part.", "type", {"summary_text": SummaryText()}),
        max=MAX_PARTS,
    )
    content = ListOf(
        "What was thought.", Tagged("A part.", "type", {"reasoning_text": ReasoningText()}), max=MAX_PARTS
    )
    encrypted_content = String("What was thought, as only the upstream can read it.")
    status = String("How far it came.", choices=STATUSES)


_ITEMS: dict[str, Shape] = {
    "message": InputMessage(),
    "function_call": FunctionCallItem(),
    "function_call_output": FunctionCallOutputItem(),
    "custom_tool_call": CustomToolCallItem(),
    "custom_tool_call_output": CustomToolCallOutputItem(),
    "reasoning": ReasoningItem(),
}


class InputItem(Tagged):
    """An item, whose `type` may be left out of a message; whatever else has none is a reference."""

    def _deserialize(self, value: dict[str, Any], attr: Any, data: Any, **rest: Any) -> Any:
        if value.get("type") is not None:
            return super()._deserialize(value, attr, data, **rest)
        if value.get("role") is None:
            raise fault("unsupported_value", "references to stored items are not offered", at="type")
        return self.shapes["message"].load(value)


def input_field(**rest: Any) -> OneOf:
    items = ListOf("The items.", InputItem("An item.", "type", _ITEMS, "unsupported_value"), max=MAX_ITEMS)
    return OneOf("A text, or a list of items.", String("The text."), items, **rest)


def input_items(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """The items of a valid body; none where the input is a text, or left out."""
    given = fields.get("input")
    return given if isinstance(given, list) else []


def input_parts(fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every content part of every item: of messages, and of what tools returned."""
    for item in input_items(fields):
        for name in ("content", "output"):
            if isinstance(item.get(name), list):
                yield from item[name]


def has_media(fields: dict[str, Any]) -> bool:
    return any(part["type"] in MEDIA_PARTS for part in input_parts(fields))

"""The parts a message's content is made of. What cannot be bounded by its own bytes is refused here.

Source: openai/types/chat/chat_completion_content_part_*_param.py.
"""

import binascii
import re
from typing import Any

from service.schemas.faults import fault, missing
from service.schemas.fields import ListOf, Object, OneOf, Refused, String, Tagged
from service.schemas.shape import Shape

MAX_PARTS = 2048
MAX_URL_CHARACTERS = 8192
MAX_DATA_CHARACTERS = 2**30  # the body's own limit is lower; this one is for the documentation

_WEB_URL = re.compile(r"https?://[^\s/]\S*", re.IGNORECASE)
_IMAGE_DATA = re.compile(r"data:image/[a-z0-9.+-]+;base64,(?=.)", re.IGNORECASE)
_ANY_DATA = re.compile(r"data:[a-z0-9.+-]+/[a-z0-9.+-]+(;[a-z-]+=[^;,]*)*;base64,", re.IGNORECASE)


def _image_url(value: str) -> None:
    """Only the head of a data URL is read here: it can be megabytes long."""
    if _IMAGE_DATA.match(value):
        return
    if len(value) > MAX_URL_CHARACTERS or not _WEB_URL.fullmatch(value):
        raise fault("invalid_value", "expected an http(s) URL, or data:image/<type>;base64,<data>")


def _base64(value: str) -> None:
    try:
        binascii.a2b_base64(value.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise fault("invalid_value", "expected base64") from None


def _file_data(value: str) -> None:
    head = _ANY_DATA.match(value)
    if value.startswith("data:") and not head:
        raise fault("invalid_value", "expected base64, or data:<type>;base64,<data>")
    _base64(value[head.end() :] if head else value)


def image_url_field(**rest: Any) -> String:
    checks = [_image_url]
    return String("An http(s) URL or a base64 data URL.", max=MAX_DATA_CHARACTERS, validate=checks, **rest)


def file_data_field(**rest: Any) -> String:
    about = "The file as a base64 data URL, or in base64."
    return String(about, min=1, max=MAX_DATA_CHARACTERS, validate=[_file_data], **rest)


def file_id_field() -> String:
    """Whether the file is the project's own is asked before anything is held; no schema can know."""
    return String("The id of a file that this project has uploaded.", min=1, max=256)


def require_one(data: dict[str, Any], usual: str, other: str) -> None:
    """Exactly one of two fields is there."""
    if data.get(usual) is None and data.get(other) is None:
        raise missing(usual)
    if data.get(usual) is not None and data.get(other) is not None:
        raise fault("invalid_parameter_combination", f"{usual} and {other} exclude each other", at=other)


def _kind(name: str) -> String:
    return String("What kind of part this is.", choices=[name], required=True)


class PromptCacheBreakpoint(Shape):
    mode = String("Always `explicit`.", choices=["explicit"], required=True)
    ttl = String("The least lifetime of what is cached.", choices=["30m", "12h"])


class Part(Shape):
    prompt_cache_breakpoint = Object("Cache the prompt up to here.", PromptCacheBreakpoint())


class TextPart(Part):
    type = _kind("text")
    text = String("The text.", required=True)


class RefusalPart(Shape):
    type = _kind("refusal")
    refusal = String("What the model said when it refused.", required=True)


class ImageURL(Shape):
    url = image_url_field(required=True)
    detail = String("How closely the image is read.", choices=["auto", "low", "high", "original"])


class ImagePart(Part):
    type = _kind("image_url")
    image_url = Object("The image.", ImageURL(), required=True)


class InputAudio(Shape):
    data = String("The audio in base64.", min=1, max=MAX_DATA_CHARACTERS, validate=[_base64], required=True)
    format = String("What the audio is encoded as.", choices=["wav", "mp3"], required=True)


class AudioPart(Part):
    type = _kind("input_audio")
    input_audio = Object("The audio.", InputAudio(), required=True)


class GivenFile(Shape):
    file_data = file_data_field()
    filename = String("The file's name.", max=1024)
    file_id = file_id_field()
    file_url = Refused("files are taken inline, as file_data, or by their id")

    def check_together(self, data: dict[str, Any]) -> None:
        require_one(data, "file_data", "file_id")


class FilePart(Part):
    type = _kind("file")
    file = Object("The file.", GivenFile(), required=True)


_TEXT = {"text": TextPart()}
_USER = _TEXT | {"image_url": ImagePart(), "input_audio": AudioPart(), "file": FilePart()}
_ASSISTANT = _TEXT | {"refusal": RefusalPart()}


def _content(about: str, shapes: dict[str, Part | Shape], **rest: Any) -> OneOf:
    parts = ListOf("The parts, in order.", Tagged("One part.", "type", shapes), min=1, max=MAX_PARTS)
    return OneOf(about, String("The text."), parts, **rest)


def text_content(**rest: Any) -> OneOf:
    return _content("A text, or text parts.", dict(_TEXT), **rest)


def user_content(**rest: Any) -> OneOf:
    return _content("A text, or parts of text, images, audio and files.", dict(_USER), **rest)


def assistant_content(**rest: Any) -> OneOf:
    return _content("A text, or parts of text and refusals.", dict(_ASSISTANT), **rest)

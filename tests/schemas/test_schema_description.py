"""apispec describes every body as it is checked: types, bounds, choices, unions."""

from typing import Any

import jsonschema_rs
import pytest
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from service.errors import InvalidRequest
from service.schemas.admin import KeyCreateSchema, KeyRotateSchema, KeyUpdateSchema
from service.schemas.chat import CHAT_COMPLETION, ChatCompletionSchema
from service.schemas.check import check
from service.schemas.continuation import ContinuationSchema
from service.schemas.fields import union2properties
from service.schemas.tokens import TokensSchema

BODIES = [
    ChatCompletionSchema,
    ContinuationSchema,
    TokensSchema,
    KeyCreateSchema,
    KeyUpdateSchema,
    KeyRotateSchema,
]


@pytest.fixture(scope="module")
def components() -> dict[str, Any]:
    plugin = MarshmallowPlugin()
    spec = APISpec("Spendgate", "1", "3.1.0", plugins=[plugin])
    plugin.converter.add_attribute_function(union2properties)  # type: ignore[union-attr]
    for body in BODIES:
        spec.components.schema(body.__name__.removesuffix("Schema"), schema=body)
    found: dict[str, Any] = spec.to_dict()["components"]["schemas"]
    return found


def test_every_field_has_a_one_line_description(components: dict[str, Any]) -> None:
    for shape in components.values():
        for name, field in shape["properties"].items():
            assert field.get("description"), name
            assert "\n" not in field["description"]


def test_every_field_has_a_type(components: dict[str, Any]) -> None:
    for shape in components.values():
        for name, field in shape["properties"].items():
            assert field.keys() & {"type", "oneOf", "anyOf", "$ref", "enum"}, name


def test_every_reference_leads_somewhere(components: dict[str, Any]) -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, list):
            return [found for each in value for found in references(each)]
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [found for each in value.values() for found in references(each)]
        return []

    found = references(components)
    assert len(found) > 30
    assert {each.rsplit("/", 1)[1] for each in found} <= components.keys()


def test_bounds_choices_and_required_fields_are_described(components: dict[str, Any]) -> None:
    chat = components["ChatCompletion"]
    fields = chat["properties"]
    assert chat["required"] == ["messages", "model"]
    assert fields["temperature"].items() >= {"type": ["number", "null"], "minimum": 0, "maximum": 2}.items()
    assert fields["n"].items() >= {"type": ["integer", "null"], "minimum": 1, "maximum": 128}.items()
    assert fields["verbosity"]["enum"] == ["low", "medium", "high", None]
    assert fields["messages"].items() >= {"type": "array", "minItems": 1, "maxItems": 2048}.items()
    assert fields["metadata"]["additionalProperties"]["maxLength"] == 512
    assert fields["web_search_options"]["enum"] == [None]
    assert fields["background"]["enum"] == [False, None]
    assert chat["additionalProperties"] is True


def test_unions_are_described_as_one_of(components: dict[str, Any]) -> None:
    content = components["UserMessage"]["properties"]["content"]["oneOf"]
    assert [each["type"] for each in content] == ["string", "array"]
    parts = [each["$ref"].rsplit("/", 1)[1] for each in content[1]["items"]["oneOf"]]
    assert parts == ["TextPart", "ImagePart", "AudioPart", "FilePart"]
    assert components["ChatCompletion"]["properties"]["stop"]["oneOf"][-1] == {"type": "null"}


def test_admin_bodies_are_closed_and_show_their_defaults(components: dict[str, Any]) -> None:
    key = components["KeyCreate"]
    assert key["additionalProperties"] is False
    assert key["required"] == ["name"]
    assert key["properties"]["period"]["default"] == "month"
    assert key["properties"]["expires_at"]["format"] == "date-time"
    assert [each["type"] for each in key["properties"]["hard_limit_usd"]["oneOf"]] == [
        "string",
        "number",
        "null",
    ]
    assert components["KeyUpdate"]["properties"]["name"]["type"] == "string"


@pytest.mark.parametrize(
    ("extra", "agreed"),
    [
        ({"temperature": 1, "n": None, "stop": ["a"], "unknown": {}}, True),
        ({"messages": [{"role": "assistant", "content": None, "refusal": "No"}], "stop": None}, True),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}, "background": False}, True),
        ({"temperature": "1"}, False),
        ({"n": True}, False),
        ({"messages": [{"role": "robot", "content": "Hi"}]}, False),
        ({"messages": [{"role": "user", "content": [None]}]}, False),
        ({"stop": ["a"] * 5}, False),
        ({"tool_choice": {"type": "web_search"}}, False),
        ({"background": True}, False),
        ({"prediction": {}}, False),
    ],
)
def test_description_and_check_agree(components: dict[str, Any], extra: dict[str, Any], agreed: bool) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]} | extra
    document = {"$ref": "#/components/schemas/ChatCompletion", "components": {"schemas": components}}
    assert jsonschema_rs.validator_for(document).is_valid(body) is agreed
    if agreed:
        check(CHAT_COMPLETION, body)
    else:
        with pytest.raises(InvalidRequest):
            check(CHAT_COMPLETION, body)

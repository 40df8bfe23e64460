"""Field types, and how the first fault of a body is told."""

import copy
from typing import Any

import pytest
from marshmallow import RAISE

from service.errors import InvalidRequest
from service.schemas.check import check, load, unknown_fields
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
from service.schemas.shape import Shape


class Cat(Shape):
    kind = String("Its kind.", choices=["cat"], required=True)
    lives = Integer("Lives left.", min=1, max=9)


class Dog(Shape):
    kind = String("Its kind.", choices=["dog"], required=True)
    tricks = ListOf("What it can do.", String("A trick.", min=1), max=2, unique=True)


class Farm(Shape):
    name = String("Its name.", min=1, max=5, required=True)
    acres = Number("Its size.", min=0.5, max=10)
    open = Boolean("Whether it is open.")
    cat = Object("The cat.", Cat())
    animals = ListOf("All animals.", Tagged("An animal.", "kind", {"cat": Cat(), "dog": Dog()}), min=1, max=3)
    labels = MapOf("Labels.", String("A label.", max=3), max=2, max_name=4)
    anything = AnyObject("Anything.")
    note = OneOf("A note or notes.", String("A note."), ListOf("Notes.", String("A note."), max=2))
    tractor = Refused("tractors are not offered", harmless=(False,))


FARM = Farm()


def refusal(body: dict[str, Any], schema: Shape = FARM) -> tuple[str | None, str]:
    with pytest.raises(InvalidRequest) as raised:
        check(schema, body)
    assert raised.value.status == 400
    return raised.value.param, raised.value.code


@pytest.mark.parametrize(
    ("extra", "param", "code"),
    [
        ({"name": 5}, "name", "invalid_type"),
        ({"name": ""}, "name", "invalid_value"),
        ({"name": "longer"}, "name", "invalid_value"),
        ({"name": None}, "name", "missing_required_parameter"),
        ({"acres": "5"}, "acres", "invalid_type"),
        ({"acres": True}, "acres", "invalid_type"),
        ({"acres": 0.4}, "acres", "invalid_value"),
        ({"acres": 10**400}, "acres", "invalid_value"),
        ({"open": 1}, "open", "invalid_type"),
        ({"open": "true"}, "open", "invalid_type"),
        ({"cat": []}, "cat", "invalid_type"),
        ({"cat": {}}, "cat.kind", "missing_required_parameter"),
        ({"cat": {"kind": "cat", "lives": 1.0}}, "cat.lives", "invalid_type"),
        ({"cat": {"kind": "cat", "lives": True}}, "cat.lives", "invalid_type"),
        ({"cat": {"kind": "cat", "lives": "5"}}, "cat.lives", "invalid_type"),
        ({"cat": {"kind": "cat", "lives": 10}}, "cat.lives", "invalid_value"),
        ({"animals": []}, "animals", "invalid_value"),
        ({"animals": [{"kind": "cat"}] * 4}, "animals", "invalid_value"),
        ({"animals": {"kind": "cat"}}, "animals", "invalid_type"),
        ({"animals": [None]}, "animals[0]", "invalid_type"),
        ({"animals": [{"kind": "cat"}, {}]}, "animals[1].kind", "missing_required_parameter"),
        ({"animals": [{"kind": 5}]}, "animals[0].kind", "invalid_type"),
        ({"animals": [{"kind": "emu"}]}, "animals[0].kind", "invalid_value"),
        ({"animals": [{"kind": "dog", "tricks": ["sit", ""]}]}, "animals[0].tricks[1]", "invalid_value"),
        ({"animals": [{"kind": "dog", "tricks": ["sit", "sit"]}]}, "animals[0].tricks", "invalid_value"),
        ({"labels": {"a": "b", "c": "long"}}, "labels.c", "invalid_value"),
        ({"labels": {"a": None}}, "labels.a", "invalid_type"),
        ({"labels": {"a": "", "b": "", "c": ""}}, "labels", "invalid_value"),
        ({"labels": {"long name": ""}}, "labels", "invalid_value"),
        ({"anything": "text"}, "anything", "invalid_type"),
        ({"note": 5}, "note", "invalid_type"),
        ({"note": {}}, "note", "invalid_type"),
        ({"note": ["a", 5]}, "note[1]", "invalid_type"),
        ({"tractor": True}, "tractor", "unsupported_value"),
        ({"tractor": 0}, "tractor", "unsupported_value"),
        ({"tractor": {}}, "tractor", "unsupported_value"),
    ],
)
def test_wrong_value_is_refused_with_its_path_and_code(extra: dict[str, Any], param: str, code: str) -> None:
    assert refusal({"name": "Hill"} | extra) == (param, code)


@pytest.mark.parametrize(
    "extra",
    [
        {"acres": 1},
        {"acres": 0.5},
        {"acres": 10},
        {"open": False},
        {"cat": {"kind": "cat", "lives": 9}},
        {"animals": [{"kind": "dog", "tricks": []}, {"kind": "cat"}]},
        {"labels": {"a": "", "bcde": "xyz"}},
        {"anything": {"deep": [{"er": None}]}},
        {"note": ""},
        {"note": []},
        {"tractor": False},
        {name: None for name in FARM.load_fields if name != "name"},
        {"cat": {"kind": "cat", "lives": None, "unknown": {"x": 1}}, "unknown": [1]},
    ],
)
def test_right_value_passes_and_the_body_stays_as_it_came(extra: dict[str, Any]) -> None:
    body = {"name": "Hill"} | extra
    before = copy.deepcopy(body)
    check(FARM, body)
    assert body == before


def test_first_fault_of_the_document_is_told() -> None:
    assert refusal({"open": 1, "name": 5, "acres": "x"})[0] == "open"
    assert refusal({"acres": "x", "name": 5, "open": 1})[0] == "acres"
    assert refusal({"acres": "x"})[0] == "acres"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"acres": "5"}, "Invalid type for 'acres': expected a number, but got a string instead."),
        ({"acres": 11}, "Invalid value for 'acres': expected a value between 0.5 and 10, but got 11."),
        ({"name": None}, "Missing required parameter: 'name'."),
        ({"name": ""}, "Invalid value for 'name': expected between 1 and 5 characters, but got 0."),
        ({"note": 5}, "Invalid type for 'note': expected a string or an array, but got an integer instead."),
        (
            {"animals": [{"kind": "emu"}]},
            "Invalid value for 'animals[0].kind': expected 'cat' or 'dog', but got 'emu'.",
        ),
        ({"tractor": True}, "Unsupported value for 'tractor': tractors are not offered."),
    ],
)
def test_message_is_a_sentence_that_names_the_field(extra: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        check(FARM, {"name": "Hill"} | extra)
    assert raised.value.message == message


def test_long_texts_of_the_caller_are_cut_in_messages() -> None:
    with pytest.raises(InvalidRequest) as raised:
        check(FARM, {"name": "Hill", "cat": {"kind": "x" * 100_000}})
    assert len(raised.value.message) < 200


def test_body_that_is_no_object_is_refused() -> None:
    with pytest.raises(InvalidRequest) as raised:
        check(FARM, [])  # type: ignore[arg-type]
    assert (raised.value.param, raised.value.code) == (None, "invalid_type")


def test_unknown_fields_are_named_at_the_top_level_only() -> None:
    body = {"name": "Hill", "zeal": 1, "cat": {"kind": "cat", "whiskers": 2}, "absent": None}
    assert unknown_fields(FARM, body) == ["zeal"]


def test_unknown_field_is_an_error_where_the_schema_says_so() -> None:
    class Closed(Shape):
        class Meta:
            unknown = RAISE

        name = String("A name.")

    assert refusal({"name": "x", "nmae": "y"}, Closed()) == ("nmae", "invalid_value")
    assert len(refusal({"x" * 100_000: 1}, Closed())[0] or "") <= 64


def test_load_gives_what_the_fields_read() -> None:
    assert load(FARM, {"name": "Hill", "acres": None, "cat": {"kind": "cat"}}) == {
        "name": "Hill",
        "cat": {"kind": "cat"},
    }

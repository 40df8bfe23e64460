"""The bodies of completions, embeddings and moderations: what OpenAI documents passes, the rest is told."""

import ast
import inspect
from types import ModuleType
from typing import Any

import pytest
from openai.types import completion_create_params, embedding_create_params, moderation_create_params

from service.errors import InvalidRequest
from service.schemas.check import check
from service.schemas.completions import COMPLETION
from service.schemas.embeddings import EMBEDDING
from service.schemas.moderations import MODERATION
from service.schemas.shape import Shape


def documented(module: ModuleType) -> set[str]:
    classes = [node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef)]
    return {ast.unparse(n.target) for each in classes for n in each.body if isinstance(n, ast.AnnAssign)}


@pytest.mark.parametrize(
    ("schema", "module"),
    [
        (COMPLETION, completion_create_params),
        (EMBEDDING, embedding_create_params),
        (MODERATION, moderation_create_params),
    ],
)
def test_every_parameter_the_sdk_documents_is_known(schema: Shape, module: ModuleType) -> None:
    found = documented(module)
    assert len(found) >= 2
    assert found - set(schema.load_fields) == set()


@pytest.mark.parametrize("given", ["a", "", ["a", ""], [1, 2], [[1], [2, 3]], None])
def test_a_prompt_may_have_any_of_its_forms(given: Any) -> None:
    check(COMPLETION, {"model": "davinci-002", "prompt": given})


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        (5, "prompt", "invalid_type"),
        ({}, "prompt", "invalid_type"),
        ([], "prompt", "invalid_value"),
        ([None], "prompt[0]", "invalid_type"),
        ([True], "prompt[0]", "invalid_type"),
        ([1, True], "prompt[1]", "invalid_type"),
        ([1, "a"], "prompt[1]", "invalid_type"),
        (["a", [1]], "prompt[1]", "invalid_type"),
        ([1, 2**31], "prompt[1]", "invalid_value"),
        ([[1], [-1]], "prompt[1][0]", "invalid_value"),
        ([[1], [[2]]], "prompt[1][0]", "invalid_type"),
        ([[1]] * 2_049, "prompt", "invalid_value"),
    ],
)
def test_what_is_no_prompt_is_told_by_its_place(given: Any, param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check(COMPLETION, {"model": "davinci-002", "prompt": given})
    assert (refusal.value.param, refusal.value.code) == (param, code)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 1.0}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"best_of": 21}, "best_of"),
        ({"best_of": 1, "n": 2}, "best_of"),
        ({"best_of": 3, "n": 2, "stream": True}, "best_of"),
        ({"logprobs": 6}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"service_tier": "later"}, "service_tier"),
    ],
)
def test_a_completions_numbers_have_bounds(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check(COMPLETION, {"model": "davinci-002", "prompt": "a", **fields})
    assert refusal.value.param == param


def test_as_many_as_are_shown_may_be_streamed() -> None:
    check(COMPLETION, {"model": "davinci-002", "prompt": "a", "best_of": 2, "n": 2, "stream": True})


def test_unknown_parameters_pass() -> None:
    for schema, body in (
        (COMPLETION, {"prompt": "a"}),
        (EMBEDDING, {"input": "a"}),
        (MODERATION, {"input": "a"}),
    ):
        check(schema, {"model": "text-moderation", "later": [1], **body})

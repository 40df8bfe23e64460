"""What a response builds on that the body itself doesn't hold: stored responses and stored reasoning.

The upstream bills them as input again. What they count is known from the usage of the calls that made them
(`StoredResponse`), as long as the same vocabulary counts and all of it was text; else nothing less than the
whole window is sure: an image counts otherwise with another model or when it is no longer compressed, and
`truncation: auto` hides from a usage what a longer window will show again.

Reasoning may be left out in one turn and be there in the next (`reasoning.context`), so what was ever
reasoned in a conversation is carried along.
"""

from collections.abc import Iterator
from typing import Any

from service.operations.base import Body, StoredResponse
from service.operations.file_ids import Named, file_ids
from service.pricing.catalog import Model
from service.pricing.usage import Usage
from service.schemas.response_items import has_media, input_items


def response_ids(body: Body) -> Iterator[Named]:
    """The response before, and reasoning that the body doesn't bring along."""
    if body.fields.get("previous_response_id") is not None:
        yield "previous_response_id", body.fields["previous_response_id"]
    for number, item in enumerate(input_items(body.fields)):
        if item.get("type") == "reasoning" and item.get("encrypted_content") is None and item.get("id"):
            yield f"input[{number}].id", item["id"]


def file_ids_of(body: Body) -> Iterator[Named]:
    """The stored files in messages and in what tools returned."""
    return file_ids(body.fields.get("input"), "input")


def stored_tokens(body: Body, model: Model) -> int | None:
    """The most input tokens that the named things are; None where only the window bounds them."""
    named = _named(body)
    if any(each.counted_by != _vocabulary(model) for each in named):
        return None
    return sum(each.tokens for each in named)


def encrypted_tokens(fields: dict[str, Any]) -> int:
    """The most tokens of reasoning that came encrypted: it may be denser than text, but no token is less than
    a byte."""
    return sum(len(item.get("encrypted_content") or "") for item in input_items(fields))


def stored_of(
    body: Body, model: Model, usage: Usage | None, response_id: str, reasoning_ids: list[str]
) -> dict[str, StoredResponse]:
    """The records of a response and of its reasoning."""
    before = encrypted_tokens(body.fields) + sum(each.hidden_tokens for each in _named(body))
    counted_by = _vocabulary(model) if _is_countable(body, model) and usage is not None else ""
    usage = usage or Usage()
    tokens, reasoned = usage.input_tokens + usage.output_tokens, usage.reasoning_tokens
    response = StoredResponse(tokens + before, reasoned + before, counted_by)
    reasoning = StoredResponse(reasoned, reasoned, counted_by)
    return {response_id: response} | dict.fromkeys(reasoning_ids, reasoning)


def _is_countable(body: Body, model: Model) -> bool:
    """Whether what this call counted will count the same when it is continued."""
    return not (
        has_media(body.fields)
        or body.unknown
        or body.fields.get("truncation") == "auto"
        or stored_tokens(body, model) is None
    )


def _named(body: Body) -> list[StoredResponse]:
    """What the body names; what it names twice, twice."""
    return [body.stored[id] for _, id in response_ids(body)]


def _vocabulary(model: Model) -> str:
    """What counts: models of one encoding count alike, one of an unknown encoding like itself alone."""
    return model.encoding or model.name

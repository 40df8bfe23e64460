"""What is remembered of a stored response: whose it is and what it counts, for thirty days; no word of it."""

import secrets

import pytest

from service.errors import LedgerUnavailable, NotFound
from service.ledger import names
from service.ledger.connection import connect
from service.operations.base import StoredResponse
from service.responses import Responses
from service.wiring import Stores
from tests.conftest import MakeKey

RECORD = StoredResponse(tokens=120, hidden_tokens=40, counted_by="o200k_base")


def new_id() -> str:
    return f"resp_{secrets.token_hex(16)}"


def test_a_record_is_found_by_its_project_and_expires(stores: Stores, make_key: MakeKey) -> None:
    account = stores.keys.authenticate(make_key()[1])
    id = new_id()
    assert stores.responses.keep(account, {id: RECORD})
    name = names.response(account.shard, id)
    fields = {"project", "tokens", "hidden_tokens", "counted_by", "created_at"}
    assert stores.client.hgetall(name).keys() == fields
    assert 30 * 86_400 - 10 <= stores.client.ttl(name) <= 30 * 86_400
    assert stores.responses.find(account, [("here", id)]) == {id: RECORD}
    stores.responses.forget(account, id)
    assert stores.client.exists(name) == 0


def test_the_first_that_is_not_there_is_named_with_its_place(stores: Stores, make_key: MakeKey) -> None:
    account = stores.keys.authenticate(make_key()[1])
    mine, other = new_id(), new_id()
    stores.responses.keep(account, {mine: RECORD})
    with pytest.raises(NotFound, match=other) as missing:
        stores.responses.find(account, [("here", mine), ("there", other)])
    assert missing.value.param == "there"


def test_without_redis_a_paid_answer_goes_out_and_nothing_is_found(stores: Stores, make_key: MakeKey) -> None:
    account = stores.keys.authenticate(make_key()[1])
    responses = Responses(connect("unix:///nowhere/redis.sock"))
    assert not responses.keep(account, {new_id(): RECORD})
    with pytest.raises(LedgerUnavailable):
        responses.find(account, [("here", new_id())])
    with pytest.raises(LedgerUnavailable):
        responses.forget(account, new_id())

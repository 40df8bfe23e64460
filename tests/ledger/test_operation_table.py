"""The ledger's verbs as a table of operations, each with its raw reply and every balance after it.

One line: the operation, its reply, then spent held doubt running of both keys and of their project, in
nano-USD. A line whose reply is `gone` or a refusal must leave Redis exactly as it was.
"""

import pytest

from service.errors import SpendgateError
from service.ledger import names
from service.ledger.holds import Hold
from service.ledger.ledger import Ledger
from tests.ledger.conftest import Bench

# Key a: hard limit 1000. Key b: none. Their project: hard limit 1500.
TABLES = {
    "a call that is settled below its hold": """
        reserve h1 a 400    admitted 400     0 400 0 1    0 0 0 0     0 400 0 1
        settle h1 300       settled 0 0      300 0 0 0    0 0 0 0     300 0 0 0
        settle h1 300       gone             300 0 0 0    0 0 0 0     300 0 0 0
        release h1          gone             300 0 0 0    0 0 0 0     300 0 0 0
        doubt h1            gone             300 0 0 0    0 0 0 0     300 0 0 0
    """,
    "a call that is released": """
        reserve h1 a 400    admitted 400     0 400 0 1    0 0 0 0     0 400 0 1
        release h1          released 400     0 0 0 0      0 0 0 0     0 0 0 0
        release h1          gone             0 0 0 0      0 0 0 0     0 0 0 0
        settle h1 300       gone             0 0 0 0      0 0 0 0     0 0 0 0
    """,
    "a call that costs nothing is settled all the same": """
        reserve h1 a 0      admitted 0       0 0 0 1      0 0 0 0     0 0 0 1
        settle h1 0         settled 0 0      0 0 0 0      0 0 0 0     0 0 0 0
    """,
    "an overrun is booked in full, even past the limit": """
        reserve h1 a 900    admitted 900     0 900 0 1    0 0 0 0     0 900 0 1
        settle h1 1200      settled 1 0      1200 0 0 0   0 0 0 0     1200 0 0 0
        reserve h2 a 1      hard_limit_reached 1   1200 0 0 0   0 0 0 0   1200 0 0 0
        reserve h3 b 301    exceeds_remaining 2    1200 0 0 0   0 0 0 0   1200 0 0 0
        reserve h3 b 300    admitted 300     1200 0 0 0   0 300 0 1   1200 300 0 1
        settle h3 301       settled 1 0      1200 0 0 0   301 0 0 0   1501 0 0 0
        reserve h4 b 0      hard_limit_reached 2   1200 0 0 0   301 0 0 0   1501 0 0 0
    """,
    "all scopes or none": """
        reserve h1 b 1400   admitted 1400    0 0 0 0      0 1400 0 1  0 1400 0 1
        reserve h2 a 101    budget_in_flight 2  0 0 0 0   0 1400 0 1  0 1400 0 1
        reserve h3 a 100    admitted 100     0 100 0 1    0 1400 0 1  0 1500 0 2
        release h1          released 1400    0 100 0 1    0 0 0 0     0 100 0 1
        reserve h4 a 901    budget_in_flight 1  0 100 0 1  0 0 0 0    0 100 0 1
        reserve h5 a 900    admitted 900     0 1000 0 2   0 0 0 0     0 1000 0 2
    """,
    "in doubt counts until it is settled late": """
        reserve h1 a 800    admitted 800     0 800 0 1    0 0 0 0     0 800 0 1
        doubt h1            in_doubt 800     0 0 800 0    0 0 0 0     0 0 800 0
        doubt h1            gone             0 0 800 0    0 0 0 0     0 0 800 0
        reserve h2 a 201    in_doubt 1       0 0 800 0    0 0 0 0     0 0 800 0
        reserve h3 a 200    admitted 200     0 200 800 1  0 0 0 0     0 200 800 1
        settle h1 50        settled 0 1      50 200 0 1   0 0 0 0     50 200 0 1
        settle h1 50        gone             50 200 0 1   0 0 0 0     50 200 0 1
    """,
    "an unanswered call that turns out to have an answer is not late": """
        reserve h1 a 800    admitted 800     0 800 0 1    0 0 0 0     0 800 0 1
        unanswered h1       in_doubt 800     0 0 800 0    0 0 0 0     0 0 800 0
        settle h1 900       settled 1 0      900 0 0 0    0 0 0 0     900 0 0 0
    """,
    "in doubt can be released": """
        reserve h1 a 800    admitted 800     0 800 0 1    0 0 0 0     0 800 0 1
        doubt h1            in_doubt 800     0 0 800 0    0 0 0 0     0 0 800 0
        release h1          released 800     0 0 0 0      0 0 0 0     0 0 0 0
        release h1          gone             0 0 0 0      0 0 0 0     0 0 0 0
    """,
    "a cancelled reserve that comes late takes nothing": """
        cancel h1           remembered       0 0 0 0      0 0 0 0     0 0 0 0
        reserve h1 a 400    cancelled        0 0 0 0      0 0 0 0     0 0 0 0
        settle h1 400       gone             0 0 0 0      0 0 0 0     0 0 0 0
        cancel h1           remembered       0 0 0 0      0 0 0 0     0 0 0 0
    """,
    "a reserve that had landed is cancelled": """
        reserve h1 a 400    admitted 400     0 400 0 1    0 0 0 0     0 400 0 1
        cancel h1           released 400     0 0 0 0      0 0 0 0     0 0 0 0
        cancel h1           remembered       0 0 0 0      0 0 0 0     0 0 0 0
        reserve h1 a 400    cancelled        0 0 0 0      0 0 0 0     0 0 0 0
    """,
    "a reserve that was swept before it is cancelled": """
        reserve h1 a 400    admitted 400     0 400 0 1    0 0 0 0     0 400 0 1
        doubt h1            in_doubt 400     0 0 400 0    0 0 0 0     0 0 400 0
        cancel h1           released 400     0 0 0 0      0 0 0 0     0 0 0 0
        cancel h1           remembered       0 0 0 0      0 0 0 0     0 0 0 0
    """,
}


class Clerk:
    """Does the operations of a table's lines, and says what came of them in the table's words."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        bench.set_project(hard=1500)
        self.keys = {"a": bench.key(hard=1000), "b": bench.key()}
        self.holds: dict[str, Hold] = {}

    def do(self, operation: str, hold: str, *rest: str) -> str:
        return str(getattr(self, operation)(hold, *rest))

    def reserve(self, name: str, key: str, nano_usd: str) -> str:
        try:
            hold = self._bench.reserve(self.keys[key], int(nano_usd), hold_id=self._id(name))
        except SpendgateError:
            reply = self._bench.ledger.reply
            return f"{reply[1]} {reply[2]}" if reply[0] == "refused" else " ".join(reply)
        self.holds[name] = hold
        return f"{self._bench.ledger.reply[0]} {hold.bound_nano_usd}"

    def settle(self, name: str, nano_usd: str) -> str:
        settled = self._bench.settle(self._hold(name), int(nano_usd))
        return "gone" if settled is None else f"settled {int(settled.overrun)} {int(settled.late)}"

    def release(self, name: str) -> str:
        self._ledger.release(self._hold(name))
        return self._said()

    def cancel(self, name: str) -> str:
        self._ledger.cancel(self._hold(name))
        return self._said()

    def doubt(self, name: str) -> str:
        self._ledger.doubt(self._hold(name), "lease")
        return self._said()

    def unanswered(self, name: str) -> str:
        self._ledger.doubt(self._hold(name), "unanswered")
        return self._said()

    def balances(self) -> list[int]:
        project = self.keys["a"].scopes[1]
        scopes = [self.keys["a"].scopes[0], self.keys["b"].scopes[0], project]
        period = project.period_at(self._ledger.now_ms()).name
        return [number for scope in scopes for number in self._bench.balance(scope, period)]

    @property
    def _ledger(self) -> Ledger:
        return self._bench.ledger

    def _said(self) -> str:
        return " ".join(str(part) for part in self._bench.ledger.reply)

    def _id(self, name: str) -> str:
        return f"{self._ledger.worker}.{name}"

    def _hold(self, name: str) -> Hold:
        """The hold as its worker knows it: of an unanswered reserve, without what the answer would say."""
        if name not in self.holds:
            scopes = self.keys["a"].scopes
            at_ms = self._ledger.now_ms()
            named = tuple((s.name, s.label, s.period_at(at_ms).name) for s in scopes)
            self.holds[name] = Hold(
                self._id(name), self._ledger.worker, self._bench.shard, named, 0, 0, None, False, at_ms
            )
        return self.holds[name]


def _read(line: str) -> tuple[list[str], str, list[int]]:
    """A line's operation, reply and balances."""
    operation, rest = line.strip().split("  ", 1)
    reply, numbers = rest.strip().split("  ", 1)
    return operation.split(), reply, [int(number) for number in numbers.split()]


@pytest.mark.parametrize("title", TABLES)
def test_every_operation_leaves_the_balances_of_the_table(bench: Bench, title: str) -> None:
    clerk = Clerk(bench)
    for line in TABLES[title].strip().splitlines():
        operation, reply, balances = _read(line)
        before = bench.everything()
        said = clerk.do(*operation)
        assert (said, clerk.balances()) == (reply, balances), line
        if reply == "gone" or (operation[0] == "reserve" and "admitted" not in reply):
            assert bench.everything() == before, line


@pytest.mark.parametrize("title", TABLES)
def test_money_never_expires(bench: Bench, title: str) -> None:
    clerk = Clerk(bench)
    for line in TABLES[title].strip().splitlines():
        clerk.do(*_read(line)[0])
    expiring = {name for name, (_, expires) in bench.everything().items() if expires}
    assert all(":cancelled:" in name for name in expiring)


@pytest.mark.parametrize("end", ["settle h1 5", "release h1", "cancel h1"])
@pytest.mark.parametrize("doubt", [[], ["doubt h1"]])
def test_hold_that_has_ended_leaves_nothing_of_itself(bench: Bench, doubt: list[str], end: str) -> None:
    clerk = Clerk(bench)
    for operation in ["reserve h1 a 10", *doubt, end]:
        clerk.do(*operation.split())
    worker = bench.ledger.worker
    for name in (names.held(bench.shard, worker), names.doubt(bench.shard)):
        assert [field for field in bench.client.hkeys(name) if field.startswith(f"{worker}.")] == []


def test_cancelled_id_is_remembered_for_an_hour(bench: Bench) -> None:
    clerk = Clerk(bench)
    clerk.do("cancel", "h1")
    left_ms = bench.client.pttl(names.cancelled(bench.shard, f"{bench.ledger.worker}.h1"))
    assert 3_590_000 < left_ms <= 3_600_000

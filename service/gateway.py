"""The seven steps of every paid call: authenticate, validate, bound the cost, reserve, call the
upstream, settle, record. One function, read from top to bottom; there is no other way to the upstream.
"""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from service.call import Call, Incoming
from service.errors import LedgerUnavailable, SpendgateError, UpstreamError
from service.files import Files
from service.keys import Keys
from service.ledger.holds import Account, Demand, Hold
from service.ledger.landing import Landing
from service.ledger.lease import Lease
from service.ledger.ledger import Ledger, ReserveUnanswered
from service.logs import log
from service.money import format_usd
from service.operations.base import Body, Operation, Tally
from service.passing import MeteredBytes
from service.pricing.catalog import Catalog, Model
from service.responses import Responses
from service.schemas.check import check, unknown_fields
from service.schemas.form import read_form
from service.schemas.json_body import read_json
from service.streaming import MeteredStream
from service.uploads.audio import audio_length_ms
from service.uploads.spool import Upload
from service.upstream.answer import Answer, Pieces
from service.upstream.client import Upstream
from service.upstream.errors import MAY_BE_BILLED, NotSent, auth_failed, in_openai_shape
from service.usage_log import log_call, log_refusal

RELEASING_5XX = (500, 503)


@dataclass(frozen=True)
class Reply:
    """What goes back to the caller: the upstream's own status and bytes, with headers added.

    `body` is bytes, or a stream of them that must be closed. `parsed` is a whole answer as an object.
    """

    status: int
    headers: dict[str, str]
    body: bytes | MeteredStream | MeteredBytes | Pieces
    parsed: dict[str, Any] | None = None
    call: Call | None = None

    @property
    def cost_nano_usd(self) -> int | None:
        """What the call cost; of a stream, known once it has ended."""
        return self.call.outcome.cost_nano_usd if self.call else None


@dataclass(frozen=True)
class Bounded:
    """A valid call and the greatest it can cost; nothing is held for it yet."""

    account: Account
    body: Body
    model: Model
    demand: Demand


class Gateway:
    """The one door."""

    def __init__(
        self,
        *,
        keys: Keys,
        files: Files,
        responses: Responses,
        ledger: Ledger,
        landing: Landing,
        lease: Lease,
        catalog: Catalog,
        upstream: Upstream,
    ) -> None:
        self._keys = keys
        self._files = files
        self._responses = responses
        self._ledger = ledger
        self._landing = landing
        self._lease = lease
        self._catalog = catalog
        self._upstream = upstream
        self._running: dict[int, Call] = {}
        self._closed = False

    def call(self, operation: Operation, incoming: Incoming) -> Reply:
        """Run one call. Raises SpendgateError; upstream errors in OpenAI's shape come back as replies."""
        try:
            call = self._admit(operation, incoming)
        except SpendgateError as error:
            log_refusal(operation.name, incoming.request_id, error)
            raise
        try:
            return self._answered(call, self._send(call))
        except BaseException:
            # Whatever went wrong on our side after the request left: its cost is not known.
            call.doubt()
            raise

    def _admit(self, operation: Operation, incoming: Incoming) -> Call:
        """Authenticate, validate, bound the cost, reserve."""
        started = time.monotonic()
        asked = self.bounded(operation, incoming)
        hold, meta = self._reserve(operation, incoming, asked)
        call = Call(
            operation=operation,
            incoming=incoming,
            account=asked.account,
            body=asked.body,
            model=asked.model,
            demand=asked.demand,
            hold=hold,
            meta=meta,
            catalog=self._catalog,
            landing=self._landing,
            on_end=self._ended,
            started=started,
        )
        self._running[id(call)] = call
        return call

    def bounded(self, operation: Operation, incoming: Incoming) -> Bounded:
        """Authenticate, validate, bound the cost: all that comes before money is touched."""
        account = self._keys.authenticate(incoming.secret)
        body = self.read(operation, incoming.raw, incoming.upload)
        self._files.require_named(account, operation.file_ids(body))
        body = replace(body, stored=self._responses.find(account, operation.response_ids(body)))
        model = self._catalog.model(body.model, body.fields.get("service_tier"), datetime.now(UTC))
        return Bounded(account, body, model, operation.demand(body, model))

    def look(self, asked: Bounded) -> Hold:
        """The hold that a call would get now; it is not taken. Raises what the call would."""
        self._require_lease()
        return self._ledger.look(asked.account, asked.demand, model=asked.model.name)

    @staticmethod
    def read(operation: Operation, raw: bytes, upload: Upload | None = None) -> Body:
        """A body that is valid for the operation. Raises InvalidRequest."""
        fields = read_json(raw) if upload is None else read_form(operation.schema, upload.parts)
        check(operation.schema, fields)
        audio_ms = 0
        if operation.recording is not None:
            audio_ms = audio_length_ms(fields[operation.recording].content, operation.recording)
        unknown = tuple(unknown_fields(operation.schema, fields))
        return Body(raw, fields, unknown, upload=upload, audio_ms=audio_ms)

    @property
    def in_flight(self) -> int:
        """How many calls are between their reserve and their end."""
        return len(self._running)

    def close(self) -> None:
        """Admit nothing more; what runs goes on."""
        self._closed = True

    def drain(self) -> int:
        """End every running call now, as if its caller had hung up; gives how many there were."""
        calls = list(self._running.values())
        for call in calls:
            call.abort()
        return len(calls)

    def _require_lease(self) -> None:
        if self._closed:
            raise LedgerUnavailable("The service is shutting down.", headers={"Retry-After": "1"})
        if trouble := self._lease.trouble():
            raise LedgerUnavailable(f"Nothing is admitted just now: {trouble}.", headers={"Retry-After": "1"})

    def _reserve(
        self, operation: Operation, incoming: Incoming, asked: Bounded
    ) -> tuple[Hold, dict[str, Any]]:
        self._require_lease()
        model = asked.model.name
        meta = {
            "request_id": incoming.request_id,
            "endpoint": operation.name,
            "model": model,
            "key_id": asked.account.key_id,
            "project": asked.account.project,
        }
        try:
            hold = self._ledger.reserve(
                asked.account, asked.demand, hold_id=self._ledger.new_hold_id(), model=model, meta=meta
            )
        except ReserveUnanswered as error:
            self._landing.cancel(error.hold)
            raise
        return hold, meta

    def _send(self, call: Call) -> Answer:
        """Send the body up. What never left is released; what got no answer is in doubt."""
        added_cap = call.hold.cap_tokens if self._adds_cap(call) else None
        try:
            outgoing = call.operation.outgoing(call.body, call.model, added_cap)
        except BaseException:
            call.release()
            raise
        try:
            return self._upstream.post(
                call.operation.upstream_path,
                outgoing,
                stream=call.body.wants_stream or call.operation.sends_bytes,
                headers=call.incoming.headers,
                timeout_seconds=call.incoming.timeout_seconds,
            )
        except NotSent as error:
            call.status = error.status
            call.release()
            raise
        except UpstreamError as error:
            call.status = error.status
            call.doubt()
            raise

    def _answered(self, call: Call, answer: Answer) -> Reply:
        call.answer, call.status = answer, answer.status
        if not 200 <= answer.status < 300:
            return self._refused_by_upstream(call, answer)
        call.tally = call.operation.new_tally()
        if call.operation.is_fixed(call.model):
            call.settle(call.tally)
        if answer.is_event_stream:
            stream = MeteredStream(call, answer, forwards_usage=self._forwards_usage(call))
            return Reply(answer.status, self._headers(call, answer), stream, call=call)
        if call.operation.sends_bytes:
            return Reply(answer.status, self._headers(call, answer), MeteredBytes(call, answer), call=call)
        return self._answered_whole(call, answer, call.tally)

    def _answered_whole(self, call: Call, answer: Answer, tally: Tally) -> Reply:
        try:
            whole = answer.read()
        except UpstreamError:
            call.doubt()
            raise
        parsed = call.operation.read(call.body, whole)
        if parsed is None:
            call.settle_unreadable(tally)
        else:
            tally.add_final(parsed)
            call.settle(tally)
        return Reply(answer.status, self._headers(call, answer), whole, parsed, call)

    def _refused_by_upstream(self, call: Call, answer: Answer) -> Reply:
        try:
            body = answer.read()
        except UpstreamError:
            body = b""
        error = in_openai_shape(body)
        if answer.status < 500 or (answer.status in RELEASING_5XX and error is not None):
            call.release()
        else:
            call.doubt()
        if answer.status in (401, 403):
            log.error("upstream_auth_failed", status=answer.status, upstream_request_id=answer.request_id)
            raise auth_failed()
        if error is None:
            raise UpstreamError(
                f"The upstream answered {answer.status} with something that is no OpenAI error.",
                headers=MAY_BE_BILLED,
            )
        return Reply(answer.status, self._headers(call, answer), body)

    @staticmethod
    def _adds_cap(call: Call) -> bool:
        """A cap goes up where the caller named none and the hold is for less than the model's most."""
        return call.demand.floor_tokens > 0 and call.hold.cap_tokens < call.demand.cap_tokens

    @staticmethod
    def _forwards_usage(call: Call) -> bool:
        return (call.body.fields.get("stream_options") or {}).get("include_usage") is True

    def _headers(self, call: Call, answer: Answer) -> dict[str, str]:
        headers = dict(answer.headers)
        outcome = call.outcome
        remaining = outcome.remaining_nano_usd if call.ended else call.hold.remaining_nano_usd
        if outcome.cost_nano_usd is not None:
            headers["x-spendgate-cost-usd"] = format_usd(outcome.cost_nano_usd)
        if remaining is not None:
            headers["x-spendgate-remaining-usd"] = format_usd(remaining)
        if outcome.soft_limit_exceeded or call.hold.soft_limit_exceeded:
            headers["x-spendgate-soft-limit"] = "exceeded"
        if self._adds_cap(call):
            headers["x-spendgate-max-output-tokens"] = str(call.hold.cap_tokens)
        if not 200 <= answer.status < 300:
            headers["x-spendgate-error-source"] = "upstream"
        return headers

    def _ended(self, call: Call) -> None:
        self._running.pop(id(call), None)
        if call.tally is not None:
            self._responses.keep(call.account, call.operation.keeps(call.body, call.model, call.tally))
        log_call(call)

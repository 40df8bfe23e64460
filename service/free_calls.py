"""Calls that cost nothing: authenticate, validate, call the upstream, log. No hold and no ledger row.

Only what is declared as a `FreeOperation` goes this way; a test has the list of these by name.
"""

from service.call import Incoming
from service.errors import Forbidden, SpendgateError, UpstreamError
from service.files import Files
from service.gateway import Reply
from service.keys import Keys
from service.logs import log
from service.operations.base import Body, FreeOperation
from service.responses import Responses
from service.schemas.check import check
from service.schemas.form import read_form
from service.schemas.json_body import read_json
from service.upstream.answer import Answer, Pieces
from service.upstream.client import Upstream
from service.upstream.errors import auth_failed, in_openai_shape
from service.usage_log import log_free, log_refusal


class FreeCalls:
    """The door beside the gateway."""

    def __init__(self, keys: Keys, files: Files, responses: Responses, upstream: Upstream) -> None:
        self._keys = keys
        self._files = files
        self._responses = responses
        self._upstream = upstream

    def call(self, operation: FreeOperation, incoming: Incoming) -> Reply:
        """Run one call. Raises SpendgateError; upstream errors in OpenAI's shape come back as replies."""
        try:
            self._admit(operation, incoming)
            reply = self._replied(self._send(operation, incoming))
        except SpendgateError as error:
            log_refusal(operation.name, incoming.request_id, error)
            raise
        log_free(operation.name, incoming.request_id, reply.status)
        return reply

    def show(self, path: str, *, stream: bool = False) -> Reply:
        """Something stored, as the upstream has it; a `stream` as it comes. Who asks has found it to be of
        the caller's project."""
        answer = self._upstream.get(path, stream=stream)
        if stream and 200 <= answer.status < 300:
            return Reply(answer.status, answer.headers, Pieces(answer))
        return self._replied(answer)

    def delete(self, path: str) -> Reply:
        """Have something stored deleted. Who asks has found it to be of the caller's project."""
        return self._replied(self._upstream.delete(path))

    def _admit(self, operation: FreeOperation, incoming: Incoming) -> None:
        """A good key, a valid body, a model that the key may use, and nothing of another project's."""
        account = self._keys.authenticate(incoming.secret)
        key = self._keys.current(account)
        upload = incoming.upload
        fields = read_json(incoming.raw) if upload is None else read_form(operation.schema, upload.parts)
        check(operation.schema, fields)
        model = fields.get("model") or operation.default_model
        if model is not None and not key.may_use(model):
            raise Forbidden("This key may not use this model.", code="model_not_allowed", param="model")
        body = Body(incoming.raw, fields)
        self._files.require_named(account, operation.file_ids(body))
        self._responses.find(account, operation.response_ids(body))

    def _send(self, operation: FreeOperation, incoming: Incoming) -> Answer:
        return self._upstream.post(
            operation.upstream_path,
            incoming.raw if incoming.upload is None else incoming.upload,
            stream=False,
            headers=incoming.headers,
            timeout_seconds=incoming.timeout_seconds,
        )

    @staticmethod
    def _replied(answer: Answer) -> Reply:
        body = answer.read()
        if 200 <= answer.status < 300:
            return Reply(answer.status, answer.headers, body)
        if answer.status in (401, 403):
            log.error("upstream_auth_failed", status=answer.status, upstream_request_id=answer.request_id)
            raise auth_failed()
        if in_openai_shape(body) is None:
            raise UpstreamError(
                f"The upstream answered {answer.status} with something that is no OpenAI error."
            )
        return Reply(answer.status, {**answer.headers, "x-spendgate-error-source": "upstream"}, body)

"""/v1/files: the upstream's files, of which each project sees its own.

All of them belong to the one account that the service has at the upstream, so every call asks the store
first whose a file is.
"""

import json
from contextlib import suppress
from urllib.parse import quote

from service.call import Incoming
from service.errors import LedgerUnavailable, UpstreamError
from service.files import Files
from service.free_calls import FreeCalls
from service.gateway import Reply
from service.ledger.holds import Account
from service.operations.files import FILE_UPLOAD
from service.upstream.errors import MAY_BE_BILLED


class FileCalls:
    """Uploads, and what can be done with what was uploaded. Raises NotFound for another project's."""

    def __init__(self, files: Files, free_calls: FreeCalls) -> None:
        self._files = files
        self._free_calls = free_calls

    def upload(self, account: Account, incoming: Incoming) -> Reply:
        """Send a file up. Raises Conflict if the project has too many."""
        self._files.require_room(account)
        reply = self._free_calls.call(FILE_UPLOAD, incoming)
        if 200 <= reply.status < 300:
            self._take_in(account, reply)
        return reply

    def show(self, account: Account, id: str) -> Reply:
        self._files.require(account, id)
        return self._free_calls.show(_path(id))

    def content(self, account: Account, id: str) -> Reply:
        """The file itself, as it comes."""
        self._files.require(account, id)
        return self._free_calls.show(f"{_path(id)}/content", stream=True)

    def delete(self, account: Account, id: str) -> Reply:
        self._files.require(account, id)
        reply = self._free_calls.delete(_path(id))
        if 200 <= reply.status < 300 or reply.status == 404:
            self._files.remove(account, id)
        return reply

    def _take_in(self, account: Account, reply: Reply) -> None:
        """Note whose the new file is. One that cannot be noted is nobody's, and deleted again."""
        assert isinstance(reply.body, bytes)
        try:
            file = json.loads(reply.body)
            id = str(file["id"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise UpstreamError("The upstream's answer is no file.", headers=MAY_BE_BILLED) from None
        try:
            self._files.add(account, file)
        except LedgerUnavailable:
            with suppress(UpstreamError):
                self._free_calls.delete(_path(id))
            raise


def _path(id: str) -> str:
    return f"{FILE_UPLOAD.upstream_path}/{quote(id, safe='')}"

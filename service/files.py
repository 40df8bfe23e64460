"""Files that were uploaded through this service: which project each belongs to.

The upstream knows one owner, whose key the service uses. So what a project may see, and name in its
prompts, is what is on its own shelf here; the content stays at the upstream.
"""

import time
from collections.abc import Iterable
from typing import Any

from service.errors import InvalidRequest, NotFound
from service.ledger import names
from service.ledger.connection import Client
from service.ledger.holds import Account
from service.shelf import Shelf

MOST_FILES = 10_000

File = dict[str, Any]


class Files:
    """The store of files. Whatever is not of the account's project is not there."""

    def __init__(self, client: Client) -> None:
        self._shelf = Shelf(client, names.files, most=MOST_FILES, what="files")

    def require_room(self, account: Account) -> None:
        """Raises Conflict if the project has too many files."""
        self._shelf.require_room(account)

    def add(self, account: Account, file: File) -> None:
        """Take in the upstream's answer to an upload."""
        self._shelf.put(account, file["id"], {"uploaded_at": time.time(), "file": file})

    def all(self, account: Account) -> list[File]:
        """Every file of the project that has not expired, the newest first."""
        now = time.time()
        records = sorted(self._shelf.all(account).values(), key=lambda r: r["uploaded_at"], reverse=True)
        return [record["file"] for record in records if not _is_over(record["file"], now)]

    def require(self, account: Account, id: str) -> None:
        """Raises NotFound unless the file is the project's."""
        if self._shelf.get(account, id) is None:
            raise NotFound(f"There is no file '{id[:100]}' in this project.", param="id")

    def require_named(self, account: Account, named: Iterable[tuple[str, str]]) -> None:
        """Raises InvalidRequest for the first (path, id) in a body whose file is not the project's."""
        places = list(named)
        if not places:
            return
        own = self._shelf.has_all(account, {id for _, id in places})
        for path, id in places:
            if not own[id]:
                raise InvalidRequest(
                    f"Unsupported value for '{path}': this project has no file '{id[:100]}'.",
                    code="unsupported_value",
                    param=path,
                )

    def remove(self, account: Account, id: str) -> None:
        self._shelf.remove(account, id)


def _is_over(file: File, now: float) -> bool:
    expires_at = file.get("expires_at")
    return type(expires_at) is int and expires_at <= now

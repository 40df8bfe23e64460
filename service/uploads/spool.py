"""A multipart body on disk: written down while it comes, read as fields, sent on byte for byte."""

import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from service.schemas.form import Parts
from service.uploads.multipart import MultipartReader

PIECE_BYTES = 65_536


@dataclass(frozen=True)
class Upload:
    """A body as it came, on disk. `content_type` is the caller's own, with its boundary."""

    content_type: str
    size: int
    parts: Parts
    _file: BinaryIO

    def __iter__(self) -> Iterator[bytes]:
        """The body from its beginning, in pieces; other calls get their turn after each."""
        self._file.seek(0)
        while piece := self._file.read(PIECE_BYTES):
            yield piece
            time.sleep(0)

    def __len__(self) -> int:
        return self.size


@contextmanager
def spooled(
    pieces: Iterable[bytes], content_type: str, boundary: bytes, keeps: frozenset[str] = frozenset()
) -> Iterator[Upload]:
    """Take a body in; it is gone from disk when the block is left. Raises InvalidRequest.

    `keeps` names the files that must be looked into. The temporary files have no name: nothing is left
    behind by a process that is killed.
    """
    reader = MultipartReader(boundary, keeps)
    with tempfile.TemporaryFile() as file:
        try:
            size = 0
            for piece in pieces:
                file.write(piece)
                size += len(piece)
                reader.feed(piece)
                time.sleep(0)
            yield Upload(content_type, size, reader.finish(), file)
        finally:
            reader.close()

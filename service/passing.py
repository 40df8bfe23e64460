"""Bytes passed on as they come (speech), and the books right however that ends.

As `MeteredStream`, for answers that are no events: nothing is read out of them, so nothing in them says
that they are complete, and a stream that breaks can only be broken off towards the caller, too.
"""

import time
from collections.abc import Iterator
from typing import cast

from service.call import Call
from service.errors import UpstreamError
from service.operations.base import BytesTally
from service.upstream.answer import Answer
from service.upstream.errors import StillComing


class MeteredBytes:
    """Iterate for bytes; close it in any case, started or not."""

    def __init__(self, call: Call, answer: Answer) -> None:
        self._call = call
        self._answer = answer
        self._tally = cast(BytesTally, call.tally)
        self._over = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """Raises UpstreamError where the upstream breaks off: the server then breaks off as well."""
        if self._over:
            raise StopIteration
        try:
            piece = self._answer.next_piece()
        except UpstreamError:
            self._over = True
            self._call.settle_received(self._tally)
            raise
        if piece is None:
            self._over = True
            self._call.settle(self._tally)
            raise StopIteration
        self._take(piece)
        return piece

    def close(self) -> None:
        """The caller is gone, or done. Before the end: what had been sent by then is booked."""
        if not self._over:
            self._over = True
            try:
                if not self._call.ended:
                    for piece in self._answer.stop():
                        self._take(piece)
            except StillComing:
                self._call.doubt()
            finally:
                self._call.settle_received(self._tally)
        self._answer.close()

    def _take(self, piece: bytes) -> None:
        if self._call.first_token_at is None:
            self._call.first_token_at = time.monotonic()
        if not self._call.ended:
            self._tally.add_bytes(piece)

"""Reading multipart/form-data piece by piece, so that it means the same to every reader.

The bytes go up as they came, so a body that two parsers could take apart differently might be bounded as
one thing and billed as another. python-multipart does the reading, strictly; what readers that are more
lenient would see besides (a boundary after a line feed alone, text around the parts, a name written in an
unusual way) is refused here.
"""

import logging
import re
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from service.errors import InvalidRequest
from service.schemas.form import FilePart, Parts

MOST_PARTS = 128
MOST_TEXT_BYTES = 2 * 1024 * 1024

_DISPOSITION = re.compile(
    r"""form-data; ?name=("?)([A-Za-z0-9_\[\]-]{1,100})\1"""
    r"""(?:; ?filename=("[^"\\\r\n\x00]*"|[^\s"\\;]+))?(?:; ?filename\*=[^\s"\\;]+)?""",
    re.IGNORECASE,
)
_HEADERS = {"content-disposition", "content-type", "content-length", "mime-version"}
_CONTENT_TYPE = re.compile(r"""multipart/form-data; ?boundary=("?)([\w'()+,./:=?-]{1,70})\1""", re.IGNORECASE)

# It warns of each malformed body: callers are told, and that is enough.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


def boundary_of(content_type: str) -> bytes | None:
    """The boundary that a Content-Type names; None if it is no multipart/form-data in the plain form."""
    match = _CONTENT_TYPE.fullmatch(content_type.strip())
    return match[2].encode() if match else None


class MultipartReader:
    """Feed it the body's pieces in order, then `finish`. Raises InvalidRequest.

    `keeps` names the parts whose files are copied, so that they can be looked into.
    """

    def __init__(self, boundary: bytes, keeps: frozenset[str]) -> None:
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._add_header_name,
                "on_header_value": self._add_header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._open,
                "on_part_data": self._add,
                "on_part_end": self._end,
            },
        )
        self._boundaries = _Boundaries(boundary)
        self._keeps = keeps
        self._parts: Parts = []
        self._text_bytes = 0
        self._copy: BinaryIO | None = None
        self._begin()

    def feed(self, piece: bytes) -> None:
        self._boundaries.feed(piece)
        try:
            self._parser.write(piece)
        except FormParserError:
            raise _malformed("it cannot be taken apart") from None

    def finish(self) -> Parts:
        """The parts of the whole body."""
        if not self._boundaries.are_plain() or self._boundaries.count != len(self._parts) + 1:
            raise _malformed("its boundaries are not in the plain form")
        return self._parts

    def close(self) -> None:
        """Let go of the copies."""
        for copy in [self._copy, *(part.content for _, part in self._parts if isinstance(part, FilePart))]:
            if copy is not None:
                copy.close()

    def _begin(self) -> None:
        if len(self._parts) >= MOST_PARTS:
            raise _malformed(f"it has more than {MOST_PARTS} parts")
        self._headers: dict[str, str] = {}
        self._header_name = self._header_value = b""
        self._name = ""
        self._filename: str | None = None
        self._size = 0
        self._text = bytearray()

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        name, value = self._header_name.decode().lower(), self._header_value.decode("utf-8", "replace")
        if name in self._headers or name not in _HEADERS or any(bad in value for bad in "\n\0"):
            raise _malformed("a part's headers are not in the plain form")
        self._headers[name] = value.strip()
        self._header_name = self._header_value = b""

    def _open(self) -> None:
        disposition = _DISPOSITION.fullmatch(self._headers.get("content-disposition", ""))
        if disposition is None:
            raise _malformed("a part's name is not in the plain form")
        self._name = disposition[2]
        if disposition[3] is not None:
            self._filename = disposition[3].strip('"')
            if self._name in self._keeps:
                self._copy = tempfile.TemporaryFile()  # noqa: SIM115 - see `close`

    def _add(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._copy is not None:
            self._copy.write(memoryview(data)[start:end])
        elif self._filename is None:
            self._text_bytes += end - start
            if self._text_bytes > MOST_TEXT_BYTES:
                raise _malformed(f"its texts are longer than {MOST_TEXT_BYTES} bytes")
            self._text += data[start:end]

    def _end(self) -> None:
        if self._filename is None:
            self._parts.append((self._name, self._read_text()))
            return
        self._parts.append((self._name, FilePart(self._filename, self._size, self._copy)))
        self._copy = None

    def _read_text(self) -> str:
        try:
            return self._text.decode()
        except UnicodeDecodeError:
            raise InvalidRequest(
                f"Invalid value for '{self._name}': it is not UTF-8.", param=self._name
            ) from None


class _Boundaries:
    """Counts the boundaries in the plain form; any other place where the text stands makes two readings."""

    def __init__(self, boundary: bytes) -> None:
        self.count = 0
        self._mark = b"--" + boundary
        self._plain = re.compile(rb"\r\n" + re.escape(self._mark) + rb"(?:\r\n|--)")
        self._anywhere = 0
        self._beginning = b""
        # The first stands at the very beginning, as if a line had ended before it.
        self._tail = b"\r\n"

    def feed(self, piece: bytes) -> None:
        self._beginning = (self._beginning + piece)[:2]
        window = self._tail + piece
        # What may go on in the next piece is looked at again; what begins in here is counted once.
        cut = max(0, len(window) - len(self._mark) - 4)
        self._count(window, cut)
        self._tail = window[cut:]

    def are_plain(self) -> bool:
        """Whether all are, now that the body has ended, and nothing stands before or behind them."""
        ends_plainly = self._tail.removesuffix(b"\r\n").endswith(self._mark + b"--")
        self._count(self._tail, len(self._tail))
        return self._beginning == b"--" and ends_plainly and self.count == self._anywhere

    def _count(self, window: bytes, before: int) -> None:
        """Those that begin, with the line end before them, in front of that place."""
        for at in self._places(window):
            if 0 <= at - 2 < before:
                self._anywhere += 1
                self.count += self._plain.match(window, at - 2) is not None

    def _places(self, window: bytes) -> Iterator[int]:
        at = window.find(self._mark)
        while at >= 0:
            yield at
            at = window.find(self._mark, at + 1)


def _malformed(why: str) -> InvalidRequest:
    return InvalidRequest(f"The multipart body cannot be read: {why}.")

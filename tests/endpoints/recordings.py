"""Recordings and forms for tests."""

import io
import os
import struct
import wave

from tests.harness import Caller

RATE = 16_000
BOUNDARY = "spendgate-test-boundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def recording(seconds: float, *, claimed_seconds: float | None = None) -> bytes:
    """A WAV of silence; its header may claim another length."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(bytes(2 * round(seconds * RATE)))
    content = bytearray(buffer.getvalue())
    if claimed_seconds is not None:
        size = round(claimed_seconds * RATE) * 2
        struct.pack_into("<I", content, 4, 36 + size)
        struct.pack_into("<I", content, 40, size)
    return bytes(content)


def form(*fields: tuple[str, str], file: bytes | None = None, name: str = "file") -> bytes:
    """A multipart body as clients write it, the file last."""
    body = b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
        for field, value in fields
    )
    if file is not None:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="a.wav"\r\n'
        body += head.encode() + b"Content-Type: audio/wav\r\n\r\n" + file + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


def send(caller: Caller, path: str, body: bytes, content_type: str = FORM):  # type: ignore[no-untyped-def]
    """POST a form."""
    headers = {"authorization": f"Bearer {caller.secret}", "content-type": content_type}
    return caller.service.request("POST", path, body=body, headers=headers)


def noise(size: int) -> bytes:
    return os.urandom(size)

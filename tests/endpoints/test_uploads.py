"""Forms: sent on byte for byte, read in one way only, and never as a whole in the worker's memory."""

import os
import re
import threading
import time
from pathlib import Path

import pytest

from service.errors import InvalidRequest
from service.schemas.form import FilePart
from service.uploads.multipart import boundary_of
from service.uploads.spool import spooled
from tests.endpoints.conftest import error_of
from tests.endpoints.recordings import BOUNDARY, FORM, form, noise, recording, send
from tests.harness import Caller, Sandbox, Service, at_once

TRANSCRIPTIONS = "/v1/audio/transcriptions"
MEGABYTE = 1024 * 1024
TWENTY_FIVE_MB_SECONDS = 25 * MEGABYTE / 32_000
MARK = f"--{BOUNDARY}".encode()


def read(body: bytes, piece_bytes: int, keeps: frozenset[str] = frozenset()) -> list[object]:
    pieces = [body[at : at + piece_bytes] for at in range(0, len(body), piece_bytes)]
    with spooled(pieces, FORM, BOUNDARY.encode(), keeps) as upload:
        assert b"".join(upload) == body
        return list(upload.parts)


@pytest.mark.parametrize("piece_bytes", [1, 2, 7, 64, 100_000])
def test_a_form_reads_the_same_however_it_arrives(piece_bytes: int) -> None:
    file = b"\r\n--not-a-boundary\r\n\r\n--" + noise(500) + b"\r\n-"
    body = form(("model", "whisper-1"), ("prompt", "né\r\nne"), ("n", ""), file=file)
    texts = [("model", "whisper-1"), ("prompt", "né\r\nne"), ("n", "")]
    assert read(body, piece_bytes) == [*texts, ("file", FilePart("a.wav", len(file)))]


def test_a_file_that_is_kept_is_what_was_sent() -> None:
    content = noise(300_000)
    body = form(("model", "whisper-1"), file=content)
    with spooled([body], FORM, BOUNDARY.encode(), frozenset({"file"})) as upload:
        part = upload.parts[-1][1]
        assert isinstance(part, FilePart)
        assert part.content is not None
        part.content.seek(0)
        assert part.content.read() == content
    assert part.content.closed


ONE = form(("model", "whisper-1"))
TWO_READINGS = {
    "a line feed before a boundary": ONE.replace(b"whisper-1\r\n", b"whisper-1\n" + MARK + b"\n\r\n", 1),
    "a boundary in a value": form(("prompt", f"x\n--{BOUNDARY}\nContent-Disposition: form-data")),
    "an empty line behind a boundary": ONE.replace(MARK + b"\r\n", MARK + b"\r\n\n", 1),
    "a blank behind a boundary": ONE.replace(MARK + b"\r\n", MARK + b" \r\n", 1),
    "text before the first part": b"hello\r\n" + ONE,
    "a line before the first part": b"\r\n" + ONE,
    "text after the last part": ONE + b"hello",
    "no last boundary": ONE[: ONE.rindex(MARK)],
    "nothing": b"",
    "no name": ONE.replace(b' name="model"', b""),
    "two names": ONE.replace(b'name="model"', b'name="model"; name="prompt"'),
    "an encoded name": ONE.replace(b'name="model"', b"name*=utf-8''model"),
    "an escaped name": ONE.replace(b'name="model"', b'name="mod\\"el"'),
    "two dispositions": ONE.replace(
        b"\r\n\r\n", b'\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n', 1
    ),
    "a folded header": ONE.replace(b"form-data; name", b"form-data;\r\n name"),
    "an encoded part": ONE.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n", 1),
    "header lines that end otherwise": ONE.replace(b"\r\n\r\n", b"\n\n", 1),
    "no UTF-8": ONE.replace(b"whisper", b"whi\xffper"),
    "headers without end": ONE.replace(b"\r\n\r\n", b"\r\nContent-Type: " + b"a" * 300_000, 1),
}


def test_names_need_no_quotes_and_headers_no_order() -> None:
    """As .NET writes them."""
    head = b"Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=model"
    body = MARK + b"\r\n" + head + b"\r\n\r\nwhisper-1\r\n" + MARK + b"\r\n"
    file = b"Content-Disposition: form-data; name=file; filename=a.wav; filename*=utf-8''a.wav\r\n\r\nxy"
    body += file + b"\r\n" + MARK + b"--\r\n"
    assert read(body, 10) == [("model", "whisper-1"), ("file", FilePart("a.wav", 2))]


@pytest.mark.parametrize("body", TWO_READINGS.values(), ids=TWO_READINGS)
@pytest.mark.parametrize("piece_bytes", [64, 65_536])
def test_a_form_that_can_be_read_in_two_ways_is_refused(body: bytes, piece_bytes: int) -> None:
    with pytest.raises(InvalidRequest):
        read(body, piece_bytes)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=a; boundary=b",
        'multipart/form-data; boundary="a',
        "multipart/mixed; boundary=a",
    ],
)
def test_a_boundary_that_can_be_read_in_two_ways_is_none(content_type: str) -> None:
    assert boundary_of(content_type) is None


@pytest.mark.parametrize(
    "fields", [[("model", "a"), ("model", "b")], [("n[]", "1"), ("n", "1")], [("a b", "x")]]
)
def test_a_field_that_comes_twice_is_refused(
    caller: Caller, sandbox: Sandbox, fields: list[tuple[str, str]]
) -> None:
    answer = send(caller, TRANSCRIPTIONS, form(*fields, file=recording(1)))
    assert answer.status == 400
    assert sandbox.bill()["requests_seen"] == 0


def test_json_is_no_form(caller: Caller) -> None:
    answer = caller.post(TRANSCRIPTIONS, {"model": "whisper-1"})
    assert (answer.status, error_of(answer)["code"]) == (415, "unsupported_media_type")


def test_a_body_above_the_limit_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    service = Service(sandbox.url, workers=1, SPENDGATE_DATA_DIR=tmp_path, SPENDGATE_MAX_UPLOAD_MB=1)
    try:
        caller = service.new_key()
        body = form(("model", "whisper-1"), file=noise(MEGABYTE))
        answer = send(caller, TRANSCRIPTIONS, body)
        assert (answer.status, error_of(answer)["code"]) == (413, "request_too_large")
        # In chunks, without a length.
        headers = {"authorization": f"Bearer {caller.secret}", "content-type": FORM}
        chunks = iter([body[:700_000], body[700_000:]])
        answer = service.request("POST", TRANSCRIPTIONS, body=chunks, headers=headers)
        assert answer.status == 413
    finally:
        service.kill()
    assert sandbox.bill()["requests_seen"] == 0


def worker_of(service: Service) -> int:
    """The gunicorn worker: the child that runs Python as its parent does."""
    parent = service.popen.pid
    own = Path(f"/proc/{parent}/cmdline").read_bytes()
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return next(int(child) for child in children if Path(f"/proc/{child}/cmdline").read_bytes() == own)


def memory_kb(pid: int, what: str) -> int:
    found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="reads Linux' own counts")
def test_a_large_upload_stays_out_of_the_workers_memory(
    service: Service, caller: Caller, sandbox: Sandbox
) -> None:
    send(caller, TRANSCRIPTIONS, form(("model", "whisper-1"), file=recording(1)))
    body = form(("model", "whisper-1"), file=recording(TWENTY_FIVE_MB_SECONDS))
    worker = worker_of(service)
    Path(f"/proc/{worker}/clear_refs").write_text("5")  # the peak begins anew
    before = memory_kb(worker, "VmRSS")
    assert send(caller, TRANSCRIPTIONS, body).status == 200
    assert memory_kb(worker, "VmHWM") - before < 5 * 1024
    assert sandbox.bill()["count"] == 2


def test_twenty_large_uploads_at_once_do_not_stall_others(
    service: Service, caller: Caller, sandbox: Sandbox
) -> None:
    body = form(("model", "whisper-1"), file=recording(TWENTY_FIVE_MB_SECONDS))
    waits: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            started = time.monotonic()
            assert service.request("GET", "/healthz").status == 200
            waits.append(time.monotonic() - started)

    watch = threading.Thread(target=look)
    watch.start()
    try:
        answers = at_once([lambda: send(caller, TRANSCRIPTIONS, body).status] * 20, 20)
    finally:
        over.set()
        watch.join()
    assert answers == [200] * 20
    assert len(waits) > 20
    assert max(waits) < 1
    assert sorted(waits)[len(waits) // 2] < 0.2
    assert caller.spent() == sandbox.billed_nano_usd()

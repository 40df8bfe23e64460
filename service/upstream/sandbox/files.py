"""`/v1/files`: kept in memory, all of them under the one account that calls; nothing here is billed."""

import json
import time
import uuid
from typing import Any

from werkzeug import Response

from service.upstream.sandbox.call import Call
from service.upstream.sandbox.refusal import Refusal
from service.upstream.sandbox.stored import StoredFile

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")


def upload(call: Call) -> Response:
    """Keep a file. Raises Refusal (400)."""
    purpose, file = call.request.form.get("purpose"), call.request.files.get("file")
    if file is None:
        raise Refusal("'file' is a required property", param="file", code="missing_required_parameter")
    if purpose not in PURPOSES:
        raise Refusal(f"'{purpose}' is not one of {list(PURPOSES)} - 'purpose'", param="purpose")
    content = file.read()
    about: dict[str, Any] = {
        "id": f"file-{uuid.uuid4().hex[:24]}",
        "object": "file",
        "bytes": len(content),
        "created_at": int(time.time()),
        "expires_at": _expires_at(call),
        "filename": file.filename,
        "purpose": purpose,
        "status": "processed",
        "status_details": None,
    }
    call.state.files[about["id"]] = StoredFile(about, content)
    return call.answer(about)


def list_files(call: Call) -> Response:
    """Everybody's, the newest first."""
    data = [file.about for file in reversed(call.state.files.values())]
    return call.answer({"object": "list", "data": data, "has_more": False})


def show(call: Call, id: str) -> Response:
    return call.answer(_find(call, id).about)


def content(call: Call, id: str) -> Response:
    """The bytes, in pieces."""
    file = _find(call, id).content
    pieces = (file[at : at + 65_536] for at in range(0, len(file), 65_536))
    headers = {"content-length": str(len(file))}
    return Response(pieces, headers=headers, content_type="application/octet-stream")


def delete(call: Call, id: str) -> Response:
    _find(call, id)
    del call.state.files[id]
    return call.answer({"object": "file", "deleted": True, "id": id})


def _find(call: Call, id: str) -> StoredFile:
    if id not in call.state.files:
        raise Refusal(f"No such File object: {json.dumps(id)[1:-1]}", status=404, param="id")
    return call.state.files[id]


def _expires_at(call: Call) -> int | None:
    seconds = call.request.form.get("expires_after[seconds]")
    return int(time.time()) + int(seconds) if seconds and seconds.isdigit() else None

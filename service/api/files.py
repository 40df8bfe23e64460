"""/v1/files: upload, list, show, content, delete; each project has its own."""

from flask import Blueprint, Response

from service.api.http import current_caller, outgoing, services
from service.api.metering import free
from service.api.query import choice, limit, page, parameter
from service.api.uploads import uploaded
from service.operations.files import FILE_UPLOAD

blueprint = Blueprint("files", __name__)

MOST_LISTED = 10_000  # as OpenAI has it, which is also its default


@blueprint.post(FILE_UPLOAD.path)
@free
def upload_file() -> Response:
    """Upload a file, to be put into prompts by its id."""
    account = current_caller()
    with uploaded() as request:
        return outgoing(services().file_calls.upload(account, request))


@blueprint.get("/v1/files")
@free
def list_files() -> Response:
    """List the project's files, the newest first."""
    files = services().stores.files.all(current_caller())
    if choice("order", "desc", "asc") == "asc":
        files.reverse()
    if purpose := parameter("purpose"):
        files = [file for file in files if file.get("purpose") == purpose]
    return page(files, id="id", limit=limit(most=MOST_LISTED, default=MOST_LISTED))


@blueprint.get("/v1/files/<file_id>")
@free
def show_file(file_id: str) -> Response:
    """Show what is known of a file."""
    return outgoing(services().file_calls.show(current_caller(), file_id))


@blueprint.get("/v1/files/<file_id>/content")
@free
def read_file(file_id: str) -> Response:
    """Read a file's content."""
    return outgoing(services().file_calls.content(current_caller(), file_id))


@blueprint.delete("/v1/files/<file_id>")
@free
def delete_file(file_id: str) -> Response:
    """Delete a file."""
    return outgoing(services().file_calls.delete(current_caller(), file_id))

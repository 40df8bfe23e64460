"""POST /v1/files. To store a file costs nothing; to put it into a prompt does, and is bounded there."""

from service.operations.base import FreeOperation
from service.schemas.files import FILE_UPLOAD_FORM

FILE_UPLOAD = FreeOperation(
    name="files",
    path="/v1/files",
    upstream_path="/files",
    schema=FILE_UPLOAD_FORM,
    default_model=None,
)

"""The form of POST /v1/files. Source: openai/types/file_create_params.py (openai 3.54)."""

from service.schemas.faults import fault, listed
from service.schemas.fields import Object, String
from service.schemas.form import File
from service.schemas.shape import Shape

# Files of any other purpose (batch, fine-tune, evals) are for endpoints that are not offered.
PURPOSES = ("assistants", "user_data", "vision")


def _offered(purpose: str) -> None:
    if purpose not in PURPOSES:
        raise fault("unsupported_value", f"expected {listed(repr(each) for each in PURPOSES)}")


class ExpiresAfter(Shape):
    anchor = String("What it is counted from.", choices=["created_at"], required=True)
    seconds = String("How long, in digits.", pattern=(r"[0-9]{1,9}", "a number of seconds"), required=True)


class FileUploadSchema(Shape):
    file = File("The file.", required=True)
    purpose = String("What it is for.", validate=[_offered], required=True, enum=list(PURPOSES))
    expires_after = Object("When the upstream deletes it by itself.", ExpiresAfter())


FILE_UPLOAD_FORM = FileUploadSchema()

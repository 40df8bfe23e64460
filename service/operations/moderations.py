"""POST /v1/moderations: free of charge (https://developers.openai.com/api/docs/guides/moderation)."""

from service.operations.base import FreeOperation
from service.schemas.moderations import MODERATION

MODERATIONS = FreeOperation(
    name="moderations",
    path="/v1/moderations",
    upstream_path="/moderations",
    schema=MODERATION,
    default_model="omni-moderation-latest",
)

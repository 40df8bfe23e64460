"""The body of POST /v1/embeddings. Source: openai/types/embedding_create_params.py (openai 3.54)."""

from service.schemas.chat import TIERS, model_field
from service.schemas.fields import Integer, String
from service.schemas.prompts import Prompts
from service.schemas.shape import Shape

MAX_DIMENSIONS = 2**20


class EmbeddingSchema(Shape):
    model = model_field(required=True)
    input = Prompts("What is to be embedded.", min_characters=1, required=True)
    dimensions = Integer("The length of each embedding.", min=1, max=MAX_DIMENSIONS)
    encoding_format = String("How numbers are written.", choices=["float", "base64"])
    user = String("Identifies your end user.", max=1024)
    service_tier = String("The tier, and so the rates.", choices=TIERS)


EMBEDDING = EmbeddingSchema()

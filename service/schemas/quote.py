"""The body of POST /v1/quote/...: that of the call itself, which its own schema checks."""

from service.schemas.shape import Shape


class QuotedCallSchema(Shape):
    """Whatever the call that is quoted takes."""


QUOTED_CALL = QuotedCallSchema()

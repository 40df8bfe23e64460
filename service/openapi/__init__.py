"""The API's description (OpenAPI 3.1), made from the code, so that it cannot say anything else.

Paths, methods and summaries are read off the blueprints (`routes`); bodies are the marshmallow schemas that
check them; what only a reader can know (parameters, answers, faults) stands in one table (`table`). A route
without an entry there is an error, and a test finds an entry without a route.
"""

from service.openapi.document import openapi_yaml

__all__ = ["openapi_yaml"]

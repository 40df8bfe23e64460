"""How the sandbox says no: OpenAI's error shape."""

import json

from werkzeug import Response


class Refusal(Exception):
    """An answer of 4xx or 5xx; raised anywhere below the app, which turns it into a response."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": type, "param": param, "code": code}

    def response(self) -> Response:
        return Response(json.dumps({"error": self.error}), self.status, mimetype="application/json")

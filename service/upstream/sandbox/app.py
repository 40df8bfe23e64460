"""The sandbox as a WSGI application: its routes, and errors in OpenAI's shape."""

import logging
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from service.upstream.sandbox import (
    chat,
    completions,
    control,
    embeddings,
    files,
    images,
    models,
    moderations,
    responses,
    speech,
    transcripts,
)
from service.upstream.sandbox.call import Endpoint, State, openai_endpoint
from service.upstream.sandbox.connection import ConnectionDropped
from service.upstream.sandbox.refusal import Refusal
from service.upstream.sandbox.tokens import load_encoding

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 512 * 2**20


def _rule(method: str, path: str, endpoint: Endpoint) -> Rule:
    return Rule(path, methods=[method], endpoint=endpoint)


# A further endpoint of OpenAI's is a file like chat.py and a line here.
ROUTES = Map(
    [
        _rule("POST", "/v1/chat/completions", openai_endpoint(chat.complete)),
        _rule("POST", "/v1/completions", openai_endpoint(completions.complete)),
        _rule("POST", "/v1/embeddings", openai_endpoint(embeddings.embed)),
        _rule("POST", "/v1/moderations", openai_endpoint(moderations.moderate)),
        _rule("POST", "/v1/responses", openai_endpoint(responses.create)),
        _rule("POST", "/v1/responses/input_tokens", openai_endpoint(responses.count_input)),
        _rule("GET", "/v1/responses/<id>", openai_endpoint(responses.show)),
        _rule("DELETE", "/v1/responses/<id>", openai_endpoint(responses.delete)),
        _rule("POST", "/v1/images/generations", openai_endpoint(images.draw)),
        _rule("POST", "/v1/images/edits", openai_endpoint(images.draw)),
        _rule("POST", "/v1/audio/transcriptions", openai_endpoint(transcripts.transcribe)),
        _rule("POST", "/v1/audio/translations", openai_endpoint(transcripts.transcribe)),
        _rule("POST", "/v1/audio/speech", openai_endpoint(speech.speak)),
        _rule("POST", "/v1/files", openai_endpoint(files.upload)),
        _rule("GET", "/v1/files", openai_endpoint(files.list_files)),
        _rule("GET", "/v1/files/<id>", openai_endpoint(files.show)),
        _rule("GET", "/v1/files/<id>/content", openai_endpoint(files.content)),
        _rule("DELETE", "/v1/files/<id>", openai_endpoint(files.delete)),
        _rule("GET", "/v1/models", openai_endpoint(models.list_models)),
        _rule("GET", "/v1/models/<id>", openai_endpoint(models.get_model)),
        _rule("GET", "/sandbox/bill", control.read_bill),
        _rule("DELETE", "/sandbox/bill", control.clear_bill),
        _rule("GET", "/sandbox/defaults", control.read_defaults),
        _rule("PUT", "/sandbox/defaults", control.set_defaults),
        _rule("DELETE", "/sandbox/defaults", control.clear_defaults),
    ],
    redirect_defaults=False,
    merge_slashes=False,
)


def create_sandbox() -> WSGIApplication:
    """A sandbox with a bill and defaults of its own."""
    # Not in the first request's time.
    load_encoding("o200k_base")
    state = State()

    def sandbox(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = MAX_BODY_BYTES
        return _dispatch(state, request)(environ, start_response)

    return sandbox


def _dispatch(state: State, request: Request) -> Response:
    if request.method == "POST" and request.path.startswith("/v1/"):
        state.bill.see_request()
    try:
        found, arguments = ROUTES.bind_to_environ(request.environ).match()
        endpoint: Endpoint = found
        return endpoint(state, request, **arguments)
    except HTTPException as error:
        return _refused_by_http(request, error).response()
    except Refusal as refusal:
        return refusal.response()
    except ConnectionDropped:
        raise
    except Exception:
        # A bug of ours, or a body odder than OpenAI takes: an answer in its shape, not a dropped call.
        logger.exception("the sandbox failed")
        return Refusal("The sandbox failed.", status=500, type="server_error").response()


def _refused_by_http(request: Request, error: HTTPException) -> Refusal:
    where = f"{request.method} {request.path}"
    message = f"Invalid URL ({where})" if error.code == 404 else f"{error.name} ({where})"
    code = {404: "unknown_url", 405: "method_not_supported"}.get(error.code or 400)
    return Refusal(message, status=error.code or 400, code=code)

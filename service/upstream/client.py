"""The way to the provider: the official SDK as client, without its retries.

A retried call may be billed twice, and callers' own SDKs retry anyway. The SDK keeps credentials,
addresses and versions right; the bytes that go up are the caller's own.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol

import httpx2
import openai

from service.upstream.answer import Answer
from service.upstream.errors import Unanswered, translate
from service.upstream.transport import BODY_TYPE, Urllib3Transport

CONNECT_TIMEOUT_SECONDS = 10.0


class OnDisk(Protocol):
    """A body that lies on disk, and the type it came with."""

    @property
    def content_type(self) -> str: ...

    def __iter__(self) -> Iterator[bytes]: ...

    def __len__(self) -> int: ...


class Upstream:
    """One upstream. `is_sandbox`: the built-in one, which costs nothing."""

    def __init__(
        self, *, base_url: str, api_key: str | None, timeout_seconds: float, is_sandbox: bool = False
    ) -> None:
        self.is_sandbox = is_sandbox
        self._timeout_seconds = timeout_seconds
        http_client = httpx2.Client(transport=Urllib3Transport())
        # An upstream that needs no key gets a placeholder, since the SDK insists on one.
        self._client = openai.OpenAI(
            base_url=base_url,
            api_key=api_key or "none",
            max_retries=0,
            timeout=httpx2.Timeout(timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS),
            http_client=http_client,
        )

    def post(
        self,
        path: str,
        body: bytes | OnDisk,
        *,
        stream: bool,
        headers: Mapping[str, str],
        timeout_seconds: float | None = None,
    ) -> Answer:
        """Send a body; the answer whatever its status. Raises NotSent, Unanswered, TimedOut.

        The time-out is for each read, as SDKs have it, and can only be shorter than the upstream's own.
        """
        options: Any = {"headers": {**_described(body), **headers}}
        if timeout_seconds is not None:
            options["timeout"] = min(timeout_seconds, self._timeout_seconds)
        try:
            response = self._client.post(
                path,
                cast_to=httpx2.Response,
                content=body,
                options=options,
                # The response itself comes back either way; `stream` says whether its body was read.
                stream=stream,
            )
        except openai.APIStatusError as error:
            return Answer(error.response)
        except openai.APIConnectionError as error:
            raise translate(error.__cause__ or error) from error
        except httpx2.TransportError as error:
            raise translate(error) from error
        except openai.OpenAIError as error:
            raise Unanswered("The upstream's answer could not be read.") from error
        return Answer(response)

    def get(self, path: str, *, stream: bool = False) -> Answer:
        """Ask for something that is free; of a `stream` the body is not read yet. Raises NotSent,
        Unanswered, TimedOut."""
        return self._ask(partial(self._client.get, stream=stream), path)

    def delete(self, path: str) -> Answer:
        """Delete something that is stored. Raises as `get` does."""
        return self._ask(self._client.delete, path)

    def _ask(self, method: Callable[..., httpx2.Response], path: str) -> Answer:
        try:
            return Answer(method(path, cast_to=httpx2.Response))
        except openai.APIStatusError as error:
            return Answer(error.response)
        except openai.APIConnectionError as error:
            raise translate(error.__cause__ or error) from error


def _described(body: bytes | OnDisk) -> dict[str, str]:
    """The headers that say what a body is."""
    if isinstance(body, bytes):
        return {"content-type": "application/json"}
    return {
        "content-type": "application/octet-stream",
        BODY_TYPE: body.content_type,
        "content-length": str(len(body)),
    }

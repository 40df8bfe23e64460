"""A response as server-sent events, in OpenAI's order: each event named, numbered, and without a [DONE].

Source: https://developers.openai.com/api/reference/resources/responses/streaming-events
"""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any, Protocol

import gevent

from service.upstream.sandbox.connection import Connection, ConnectionCut, ConnectionDropped
from service.upstream.sandbox.knobs import Knobs
from service.upstream.sandbox.reply import TOOL_INPUT, Choice
from service.upstream.sandbox.response_output import ITEM_TYPES, reasoning_item, text_part, written_item


class Answer(Protocol):
    """A response in the making."""

    id: str
    choice: Choice

    def begun(self) -> dict[str, Any]: ...

    def finish(self, visible_tokens: int) -> dict[str, Any]: ...

    def bill(self, visible_tokens: int, **marks: bool) -> dict[str, Any]: ...


class ResponseStream:
    """The events of one response; what was written by then is billed however they end."""

    def __init__(self, connection: Connection, knobs: Knobs, answer: Answer) -> None:
        self._connection = connection
        self._knobs = knobs
        self._answer = answer
        self._choice = answer.choice
        self._numbers = count()
        self._at = {"output_index": 1 if answer.choice.reasoning_tokens else 0}
        self._item_at = self._at | {"item_id": self._item("in_progress")["id"]}

    def play(self) -> Iterator[bytes]:
        """All events. Billed before the last one goes out: clients stop reading there."""
        written = 0
        try:
            yield from self._first()
            for number, piece in enumerate(self._choice.pieces):
                self._before_delta(number)
                delta = self._place | {"delta": piece.text} | self._logprobs
                yield self._event(f"{self._written_as}.delta", delta)
                written += piece.tokens
            if self._knobs.cut_after is not None:
                self._connection.cut()
        except ConnectionCut:
            self._answer.bill(written, cut=True)
            raise
        except (ConnectionDropped, GeneratorExit):
            # The server closes this generator when it cannot write to the client any more.
            self._answer.bill(written, hung_up=True)
            raise
        whole = self._answer.finish(written)
        yield from self._last(whole)

    def _first(self) -> Iterator[bytes]:
        yield self._event("response.created", {"response": self._answer.begun()})
        yield self._event("response.in_progress", {"response": self._answer.begun()})
        if self._choice.reasoning_tokens:
            item = {"output_index": 0, "item": reasoning_item(self._answer.id)}
            yield self._event("response.output_item.added", item)
            yield self._event("response.output_item.done", item)
        yield self._event("response.output_item.added", self._at | {"item": self._item("in_progress")})
        if self._choice.tool is None:
            yield self._event("response.content_part.added", self._place | {"part": text_part("")})

    def _last(self, whole: dict[str, Any]) -> Iterator[bytes]:
        text, tool = self._choice.text, self._choice.tool
        name = "text" if tool is None else TOOL_INPUT[tool.kind]
        yield self._event(f"{self._written_as}.done", self._place | {name: text} | self._logprobs)
        if tool is None:
            yield self._event("response.content_part.done", self._place | {"part": text_part(text)})
        yield self._event("response.output_item.done", self._at | {"item": whole["output"][-1]})
        yield self._event(f"response.{whole['status']}", {"response": whole})

    def _before_delta(self, number: int) -> None:
        """Wait as asked; find out whether the client is still there. Raises ConnectionDropped."""
        gevent.sleep(self._knobs.token_delay_ms / 1000)
        if number == self._knobs.cut_after:
            self._connection.cut()
        if self._connection.gone():
            raise ConnectionDropped

    def _item(self, status: str) -> dict[str, Any]:
        return written_item(self._answer.id, self._choice, "", status)

    @property
    def _written_as(self) -> str:
        """How the events are called that bring what is written."""
        tool = self._choice.tool
        if tool is None:
            return "response.output_text"
        return f"response.{ITEM_TYPES[tool.kind]}_{TOOL_INPUT[tool.kind]}"

    @property
    def _place(self) -> dict[str, Any]:
        """Where what is written goes: into an item, and of a message into its one part."""
        return self._item_at | ({"content_index": 0} if self._choice.tool is None else {})

    @property
    def _logprobs(self) -> dict[str, Any]:
        return {"logprobs": []} if self._choice.tool is None else {}

    def _event(self, kind: str, data: dict[str, Any]) -> bytes:
        told = {"type": kind, "sequence_number": next(self._numbers), **data}
        return f"event: {kind}\ndata: {json.dumps(told, separators=(',', ':'))}\n\n".encode()

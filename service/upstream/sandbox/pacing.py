"""A stream's pieces one by one, as the knobs pace and cut them."""

from collections.abc import Callable, Iterable, Iterator

import gevent

from service.upstream.sandbox.call import Call
from service.upstream.sandbox.connection import ConnectionCut, ConnectionDropped


def paced(call: Call, pieces: Iterable[bytes], on_break: Callable[..., None]) -> Iterator[bytes]:
    """`on_break(told, cut=True | hung_up=True)` bills a stream that ends after so many pieces."""
    told = 0
    try:
        for piece in pieces:
            gevent.sleep(call.knobs.token_delay_ms / 1000)
            if told == call.knobs.cut_after:
                call.connection.cut()
            if call.connection.gone():
                raise ConnectionDropped
            yield piece
            told += 1
        if call.knobs.cut_after is not None:
            call.connection.cut()
    except ConnectionCut:
        on_break(told, cut=True)
        raise
    except (ConnectionDropped, GeneratorExit):
        # The server closes this generator when it cannot write to the client any more.
        on_break(told, hung_up=True)
        raise

"""Speech that was given up while more of it was coming than could be read."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

from service.passing import MeteredBytes
from service.upstream.errors import StillComing


class EndlessAnswer:
    """An answer that never stops coming."""

    def stop(self) -> Iterator[bytes]:
        yield b"a piece"
        raise StillComing("more than could be read")

    def close(self) -> None:
        pass


def test_what_nobody_could_read_is_in_doubt_and_not_counted() -> None:
    ends: list[str] = []
    call = SimpleNamespace(ended=False, first_token_at=None, tally=SimpleNamespace(add_bytes=len))

    def end(how: str) -> None:
        if not call.ended:
            call.ended = True
            ends.append(how)

    call.doubt = lambda: end("in doubt")
    call.settle_received = lambda tally: end("counted")
    MeteredBytes(cast(Any, call), cast(Any, EndlessAnswer())).close()
    assert ends == ["in doubt"]

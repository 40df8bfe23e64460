"""gunicorn's gevent worker, with Spendgate's way to stop: drain, settle, leave.

On SIGTERM it takes no new connection; running calls have the drain time to end, and are then ended as
if their callers had hung up. What they used is booked before the worker exits.
"""

import gc
import json
from contextlib import suppress
from typing import Any

import gevent
from gunicorn.workers.ggevent import GeventWorker

from service.errors import InvalidRequest
from service.logs import log
from service.services import Services
from service.serving.options import AFTER_DRAIN_SECONDS

LAST_WORDS_SECONDS = 0.5
BAD_REQUEST = (
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    "x-spendgate-error-source: spendgate\r\nConnection: close\r\n\r\n{body}"
)


class Worker(GeventWorker):  # type: ignore[misc]
    """One process, one event loop, a greenlet a request."""

    def init_process(self) -> None:
        self._draining = False
        super().init_process()

    def load_wsgi(self) -> None:
        super().load_wsgi()
        # What was loaded lives as long as the process: the collector need not look at it again, and
        # young garbage may gather a little, so that its pauses stay out of the latency's tail.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)

    def handle_exit(self, sig: int, frame: Any) -> None:
        super().handle_exit(sig, frame)
        self._begin_drain()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Ctrl-C in a terminal reaches the workers too; it means the same as SIGTERM here."""
        self.handle_exit(sig, frame)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """What never became a request gets an answer in the same shape as any other error."""
        if req is not None:
            super().handle_error(req, client, addr, exc)
            return
        log.info("bad_request", error=type(exc).__name__)
        body = json.dumps(InvalidRequest("This is not a valid HTTP request.").body())
        with suppress(OSError):
            client.sendall(BAD_REQUEST.format(length=len(body), body=body).encode())

    def run(self) -> None:
        try:
            super().run()
        finally:
            own = self._services()
            if own is not None:
                own.gateway.drain()
                own.shut_down(AFTER_DRAIN_SECONDS / 2)

    def _begin_drain(self) -> None:
        if not self._draining:
            self._draining = True
            gevent.spawn(self._drain)

    def _drain(self) -> None:
        own = self._services()
        if own is None:
            return
        own.gateway.close()
        gevent.sleep(own.settings.drain_seconds)
        if ended := own.gateway.drain():
            log.warning("drained", calls=ended)
        # Everything is booked. The last words have a moment to go out; who is still connected after that
        # is idle, or waits for an answer that nobody waits for any more.
        gevent.sleep(LAST_WORDS_SECONDS)
        self.cfg.set("graceful_timeout", 0)

    def _services(self) -> Services | None:
        app = getattr(self, "wsgi", None)
        found: Services | None = getattr(app, "extensions", {}).get("spendgate")
        return found

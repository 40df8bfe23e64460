"""The sandbox on a socket. It patches nothing: whoever calls it under gevent has done so before."""

import signal
import socket
from collections.abc import Callable
from typing import Any

import gevent
from gevent.pywsgi import WSGIHandler, WSGIServer

from service.upstream.sandbox.app import create_sandbox
from service.upstream.sandbox.connection import ENVIRON_KEY

# More than any test opens at once; the kernel has its own limit.
BACKLOG = 2048


class _Handler(WSGIHandler):
    """Lets the application see its client's socket."""

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ[ENVIRON_KEY] = self.socket
        return environ

    def handle(self) -> None:
        # Headers and body are two writes: with Nagle's algorithm the second would wait for an ACK.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().handle()


def serve_sandbox(host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve a new sandbox until SIGTERM or SIGINT, then return. Running calls are dropped.

    `port` 0 takes a free one. `on_ready` is called once, when connections are accepted, with the base
    URL, such as `http://127.0.0.1:54321/v1`. Raises OSError if the address cannot be had.
    """
    server = WSGIServer((host, port), create_sandbox(), BACKLOG, log=None, handler_class=_Handler)
    server.start()
    watchers = [gevent.signal_handler(number, server.stop) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        on_ready(_base_url(host, server.socket.getsockname()[1]))
        server.serve_forever()
    finally:
        for watcher in watchers:
            watcher.cancel()


def _base_url(host: str, port: int) -> str:
    """How to reach a server bound to `host`; every address of the machine has the loopback one."""
    reachable = "127.0.0.1" if host in ("", "0.0.0.0") else host
    return f"http://[{reachable}]:{port}/v1" if ":" in reachable else f"http://{reachable}:{port}/v1"

"""The client's socket, for what HTTP has no word for: hanging up, on either side."""

import errno
import socket
import struct
from typing import Any, NoReturn

import gevent
from gevent.socket import wait_read

ENVIRON_KEY = "sandbox.socket"


class ConnectionDropped(ConnectionResetError):
    """This connection is over. The server, which knows the errno, closes it and says nothing."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "dropped by the sandbox, or gone")


class ConnectionCut(ConnectionDropped):
    """Dropped on purpose, in mid-body."""


class Connection:
    """One client's connection; without a socket (a bare WSGI call) the client is always there."""

    def __init__(self, sock: Any | None) -> None:
        self._socket = sock

    def gone(self) -> bool:
        """Whether the client has closed or reset its side. Never blocks."""
        if self._socket is None:
            return False
        timeout = self._socket.gettimeout()
        self._socket.settimeout(0)
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self._socket.settimeout(timeout)

    def wait_until_gone(self) -> NoReturn:
        """Say nothing until the client goes. Raises ConnectionDropped then."""
        while self._socket is not None and not self.gone():
            wait_read(self._socket.fileno())
            # A pipelined request keeps the socket readable: don't spin on it.
            gevent.sleep(0.02)
        raise ConnectionDropped

    def reset(self) -> NoReturn:
        """Close with a TCP reset instead of a goodbye."""
        if self._socket is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionDropped

    def cut(self) -> NoReturn:
        """Close in mid-body. No reset, which could take back bytes that were already sent."""
        raise ConnectionCut

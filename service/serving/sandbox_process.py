"""The sandbox upstream as a child of the service: a process of its own behind a real socket."""

import os
import subprocess
import sys
from types import TracebackType

from service.serving.embedded_redis import death_with_parent


class SandboxProcess:
    """A running sandbox; `base_url` is what OPENAI_BASE_URL would be. It ends with the service."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "sandbox", "--port", "0"],
            stdout=subprocess.PIPE,
            # Out of reach of Ctrl-C, so that running calls can end while the service drains.
            start_new_session=True,
            preexec_fn=death_with_parent() if sys.platform == "linux" else None,
        )
        self._owner_pid = os.getpid()
        assert self._process.stdout is not None
        self.base_url = self._process.stdout.readline().decode().strip()
        if not self.base_url:
            raise OSError("the sandbox upstream did not start")

    def stop(self) -> None:
        # A forked worker that unwinds through our `with` must not take the sandbox from the others.
        if os.getpid() == self._owner_pid:
            self._process.terminate()
            self._process.wait()

    def __enter__(self) -> "SandboxProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

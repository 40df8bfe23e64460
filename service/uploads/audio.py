"""The true length of a recording, asked of a short-lived child process (see `audio_length`)."""

import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from service.errors import InvalidRequest
from service.uploads import __path__

MOST_AT_ONCE = 2
TIME_LIMIT_SECONDS = 60
_SCRIPT = str(Path(__path__[0]) / "audio_length.py")


def audio_length_ms(file: BinaryIO, param: str) -> int:
    """Milliseconds, rounded up. Raises InvalidRequest for `param` if it cannot be decoded, or not in time.

    The file must lie on disk. Others wait while MOST_AT_ONCE are being decoded.
    """
    file.flush()
    with _turns():
        file.seek(0)
        try:
            # By path and isolated: it sees nothing of our environment, where secrets are.
            done = subprocess.run(
                [sys.executable, "-I", _SCRIPT],
                stdin=file,
                capture_output=True,
                env={},
                timeout=TIME_LIMIT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _undecodable(param, "it takes too long to decode") from None
    if done.returncode != 0 or not done.stdout.isdigit():
        raise _undecodable(param, "it is no audio in a format that is taken")
    return int(done.stdout)


@lru_cache(maxsize=1)
def _turns() -> threading.BoundedSemaphore:
    # Made at its first use: workers exchange the locks of this module's import time for cooperative ones.
    return threading.BoundedSemaphore(MOST_AT_ONCE)


def _undecodable(param: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid value for '{param}': {why}.", param=param)

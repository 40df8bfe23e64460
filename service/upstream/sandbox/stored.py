"""What callers leave at the sandbox."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StoredFile:
    """A file as it was uploaded: its object, and its bytes."""

    about: dict[str, Any]
    content: bytes

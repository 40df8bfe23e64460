"""Which stored files a body names: only the caller's own project's may go up."""

from collections.abc import Iterator
from typing import Any

Named = tuple[str, str]  # (path in the body, the file's id)


def file_ids(value: Any, path: str) -> Iterator[Named]:
    """Every `file_id` anywhere in a part of a body, with its place: `messages[0].content[1].file.file_id`."""
    if isinstance(value, list):
        for index, member in enumerate(value):
            yield from file_ids(member, f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, member in value.items():
            if name == "file_id" and isinstance(member, str):
                yield f"{path}.{name}", member
            else:
                yield from file_ids(member, f"{path}.{name}")

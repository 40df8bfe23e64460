"""Keys as texts: how they are made, recognised and hashed. No I/O.

An API key is `sk-sg-`, the hex digit of its shard, 32 random base-62 characters, and a checksum of
6: a mistyped one is refused without asking Redis, and a good one says where to look. An admin key
is `sk-sg-admin-` with the same tail. Only SHA-256 hashes are kept: a key holds 190 random bits, so
there is nothing to guess that a slow hash would protect.
"""

import hashlib
import secrets
import string
import zlib

ALPHABET = string.digits + string.ascii_letters
PREFIX = "sk-sg-"
ADMIN_PREFIX = "sk-sg-admin-"
RANDOM_LENGTH = 32
CHECKSUM_LENGTH = 6


def new_api_key(shard: str) -> str:
    return _with_checksum(PREFIX + shard + random_text(RANDOM_LENGTH))


def new_admin_key() -> str:
    return _with_checksum(ADMIN_PREFIX + random_text(RANDOM_LENGTH))


def random_text(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def shard_of(api_key: str) -> str | None:
    """The shard a well-formed API key names; None if the text is no such key or was mistyped."""
    length = len(PREFIX) + 1 + RANDOM_LENGTH + CHECKSUM_LENGTH
    if len(api_key) != length or not api_key.startswith(PREFIX) or not api_key.isascii():
        return None
    body, checksum = api_key[:-CHECKSUM_LENGTH], api_key[-CHECKSUM_LENGTH:]
    shard = api_key[len(PREFIX)]
    if checksum != _checksum(body) or shard not in "0123456789abcdef":
        return None
    return shard


def secret_hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def hint(key: str) -> str:
    """What may be shown of a key later on, to tell it from others."""
    return f"{key[:7]}...{key[-4:]}"


def _with_checksum(body: str) -> str:
    return body + _checksum(body)


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits += ALPHABET[digit]
    return digits

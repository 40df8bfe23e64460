"""What the sandbox has to say: verse of plain words, chosen by a hash of what it was asked."""

import hashlib
import json
from random import Random
from typing import Any

# Each is one token with its leading space, in o200k_base and cl100k_base alike, and pure ASCII: a text
# of n words has at least n tokens and may be cut between any two.
_SPOKEN = """
the a and of to in is it you that we he she was for on are with as his they at be this from have or
by one had not but what all were when your can said there use each which how their if will up other
about out many then them these so some her would make like him into time has look two more write go
see number no way could people my than first water been call who its now find long down day did get
come made may part over new sound take only little work know place year live me back give most very
after thing our just name good sentence man think say great where help through much before line
right too mean old any same tell boy follow came want show also around form three small set put end
does another well large must big even such because turn here why ask went men read need land
different home us move try kind hand picture again change off play spell air away animal house point
page letter mother answer found study still learn should world river night morning garden window
winter summer silver golden stone road star moon light shadow heart song dream sea rain snow wind
fire bird horse door table bread wine apple tree leaf flower hill field town king queen ship sail
shore island cloud sun sky earth love story evening paper candle music dance quiet gentle bright
dark deep green blue white red
"""
WORDS = _SPOKEN.split()
WORDS_PER_LINE = 7


def seed_of(*asked: Any) -> int:
    """A number from what was asked (JSON values): equal for equal questions, on every machine."""
    text = json.dumps(asked, sort_keys=True).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


def default_length(seed: int) -> int:
    """How many tokens a reply has that nobody asked to be longer or shorter: 30 to 60."""
    return 30 + seed % 31


def verse(seed: int, words: int) -> str:
    """Lines of seven words, as many words as wanted."""
    chosen = Random(seed).choices(WORDS, k=words)
    starts = range(0, words, WORDS_PER_LINE)
    return ",\n".join(" ".join(chosen[at : at + WORDS_PER_LINE]).capitalize() for at in starts)

"""Spendgate: a gate in front of the OpenAI API that never lets a key spend past its limit."""

__version__ = "0.1.0"

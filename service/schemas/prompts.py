"""What completions and embeddings read: a text or several, each also as token ids.

Source: openai/types/completion_create_params.py and embedding_create_params.py (openai 3.54).
"""

from typing import Any

from service.schemas.fields import Integer, ListOf, OneOf, Strict, String

MAX_PROMPTS = 2_048
# Far beyond any window: the upstream says which prompt is too long for its model.
MAX_TOKEN_IDS = 2**22
MAX_TOKEN_ID = 2**31 - 1


class TokenIds(ListOf):
    """A text as token ids: read in one sweep, since there can be hundreds of thousands."""

    def __init__(self) -> None:
        inner = Integer("A token id.", max=MAX_TOKEN_ID)
        super().__init__("A text as token ids.", inner, min=1, max=MAX_TOKEN_IDS)

    def _deserialize(self, value: list[Any], attr: Any, data: Any, **rest: Any) -> list[Any]:
        if all(type(token) is int and 0 <= token <= MAX_TOKEN_ID for token in value):
            return value
        # One of them is wrong: the field of each finds which, and says how.
        return super()._deserialize(value, attr, data, **rest)


class Prompts(OneOf):
    """A text, token ids, or a list of either. What a list holds, its first member tells."""

    def __init__(self, about: str, *, min_characters: int = 0, **rest: Any) -> None:
        text = String("A text.", min=min_characters)
        texts = ListOf("Several texts.", text, min=1, max=MAX_PROMPTS)
        ids = TokenIds()
        several_ids = ListOf("Several texts as token ids.", ids, min=1, max=MAX_PROMPTS)
        super().__init__(about, text, texts, ids, several_ids, **rest)
        self.expected = "a string or an array"  # type: ignore[misc]
        self._by_member: dict[type, Strict] = {str: texts, int: ids, list: several_ids}

    def deserialize(self, value: Any, attr: Any = None, data: Any = None, **rest: Any) -> Any:
        if type(value) is list:
            kind = type(value[0]) if value and type(value[0]) in self._by_member else str
            return self._by_member[kind].deserialize(value)
        return super().deserialize(value, attr, data, **rest)

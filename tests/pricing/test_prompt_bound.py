"""The bounds of completions and embeddings: never below what the provider could count. Random, by seed."""

import json
import random
from typing import Any

import pytest

from service.errors import InvalidRequest, ModelNotPriced
from service.operations.base import Body
from service.operations.completions import COMPLETIONS
from service.operations.embeddings import EMBEDDINGS
from service.operations.prompts import counted_tokens, prompts_of
from service.pricing.cost import cost_nano_usd
from service.pricing.usage import Usage
from service.schemas.check import check, unknown_fields
from tests.pricing.conftest import AT, MakeCatalog, bound_nano_usd, model

SEED = 20261122
ALPHABETS = [
    "abcdefg .,",
    "0123456789",
    " \n\t\r",
    '"\\/{}[]',
    "\x00\x1b\x7f",
    "áéñø",
    "汉字漢字",
    "हिन्दी",
    "🎈👩‍👧🇪🇸",
    "<|>",
]


def body(**fields: Any) -> Body:
    """A valid body, as the gateway reads it."""
    schema = EMBEDDINGS.schema if "input" in fields else COMPLETIONS.schema
    check(schema, fields)
    raw = json.dumps(fields, ensure_ascii=False).encode()
    return Body(raw, fields, tuple(unknown_fields(schema, fields)))


def text(rng: random.Random, most: int) -> str:
    return "".join(
        rng.choice(rng.choice(ALPHABETS)) * rng.choice((1, 1, 5)) for _ in range(rng.randrange(most))
    )


def prompts(rng: random.Random) -> Any:
    """A prompt in any of the four forms, long and short."""
    ids = [rng.randrange(100_000) for _ in range(rng.randint(1, 900))]
    texts = [text(rng, 300) + "x" for _ in range(rng.randint(1, 9))]
    return rng.choice([texts[0], texts, ids, [ids, [1], ids[:3]]])


@pytest.mark.parametrize("seed", range(SEED, SEED + 60))
def test_no_completion_can_cost_more_than_its_bound(seed: int) -> None:
    rng = random.Random(seed)
    found = model(rng.choice(["gpt-3.5-turbo-instruct", "davinci-002"]))
    fields = {"model": found.name, "prompt": prompts(rng), "n": rng.randint(1, 4), "suffix": text(rng, 90)}
    if rng.random() < 0.5:
        fields |= {"best_of": rng.randint(fields["n"], 20), "max_tokens": rng.randint(0, 4_000)}
    asked = prompts_of(fields["prompt"])
    tokens = sum(counted_tokens(each, "cl100k_base") for each in asked)
    tokens += len(asked) * counted_tokens(fields["suffix"], "cl100k_base")
    made = len(asked) * max(fields["n"], fields.get("best_of", 1))
    usage = Usage(input_tokens=tokens, output_tokens=made * fields.get("max_tokens", 16))
    bound = bound_nano_usd(COMPLETIONS.demand(body(**fields), found))
    assert cost_nano_usd(usage, found.rates) <= bound


@pytest.mark.parametrize("seed", range(SEED, SEED + 60))
def test_no_embedding_can_cost_more_than_its_bound(seed: int) -> None:
    rng = random.Random(seed)
    found = model(rng.choice(["text-embedding-3-large", "text-embedding-ada-002"]))
    given = prompts(rng)
    tokens = sum(counted_tokens(each, "cl100k_base") for each in prompts_of(given))
    bound = bound_nano_usd(EMBEDDINGS.demand(body(model=found.name, input=given), found))
    assert cost_nano_usd(Usage(input_tokens=tokens), found.rates) <= bound


@pytest.mark.parametrize(
    ("fields", "cap", "completions"),
    [
        ({}, 16, 1),
        ({"max_tokens": 0}, 1, 1),
        ({"max_tokens": 100_000}, 4_096, 1),
        ({"max_tokens": 7, "n": 3, "best_of": 5, "prompt": ["a", "b"]}, 7, 10),
        ({"n": 128, "prompt": [[1], [2], [3]]}, 16, 384),
        ({"max_tokens": 7, "max_completion_tokens": 9}, 4_096, 1),
    ],
)
def test_output_is_bounded_by_the_cap_of_everything_that_is_made(
    fields: dict[str, Any], cap: int, completions: int
) -> None:
    found = model("gpt-3.5-turbo-instruct")
    demand = COMPLETIONS.demand(body(model=found.name, **fields), found)
    assert (demand.cap_tokens, demand.floor_tokens) == (cap, 0)
    assert demand.output_pico_usd == completions * 2_000_000


def test_a_suffix_counts_with_each_prompt_of_a_small_body_too() -> None:
    found = model("davinci-002")
    asked = body(model=found.name, prompt=["a"] * 100, suffix="0123456789" * 100)
    assert len(asked.raw) < 2_048
    tokens = 100 * (1 + counted_tokens(asked.fields["suffix"], "cl100k_base"))
    assert COMPLETIONS.demand(asked, found).input_tokens >= tokens > 30_000


def test_models_whose_window_only_our_table_knows_can_be_bounded() -> None:
    for name in ("davinci-002", "babbage-002"):
        found = model(name)
        assert (found.context_window, found.max_output_tokens) == (16_384, 16_384)


def test_a_bound_that_the_ledger_cannot_count_is_refused(catalog_of: MakeCatalog) -> None:
    dear = catalog_of('[models."dear"]\ninput = "1000000"\noutput = "1000000"').model("dear", None, AT)
    with pytest.raises(ModelNotPriced):
        COMPLETIONS.demand(body(model="dear", prompt="a"), dear)
    with pytest.raises(InvalidRequest) as refusal:
        EMBEDDINGS.demand(body(model="dear", input="a" * 10_000), dear)
    assert refusal.value.param == "input"


def test_an_unknown_field_needs_a_window(catalog_of: MakeCatalog) -> None:
    own = catalog_of('[models."own"]\ninput = "1"\noutput = "0"').model("own", None, AT)
    assert EMBEDDINGS.demand(body(model="own", input="a"), own).input_tokens > 0
    with pytest.raises(ModelNotPriced) as refusal:
        EMBEDDINGS.demand(body(model="own", input="a", truncate=1), own)
    assert refusal.value.param == "truncate"


def test_another_tokenizers_tokens_are_bytes(catalog_of: MakeCatalog) -> None:
    own = catalog_of('[models."own"]\ninput = "1"\noutput = "0"').model("own", None, AT)
    given = ["時" * 1_000, "a" * 1_000]
    assert EMBEDDINGS.demand(body(model="own", input=given), own).input_tokens == 4_000 + 64 + 8
    # OpenAI's limit for all inputs together is not every upstream's.
    assert EMBEDDINGS.demand(body(model="own", input=[[1] * 400_000]), own).input_tokens > 400_000

"""The operator's price file: what it may say, and that a wrong entry names itself."""

from decimal import Decimal
from pathlib import Path

import pytest

from service.config import ConfigError
from service.pricing.price_file import read_price_file
from service.pricing.rates import Rates
from tests.pricing.conftest import AT, MakeCatalog


def test_entry_of_the_documentation_is_read_whole(catalog_of: MakeCatalog) -> None:
    catalog = catalog_of("""
        [models."gemma-3-270m"]        # USD per million tokens
        input = "0.10"
        cached_input = "0.05"
        output = "0.40"
        context_window = 32768
        max_output_tokens = 8192
        output_cap_field = "max_tokens"  # the field in which this upstream takes an output cap
    """)
    model = catalog.model("gemma-3-270m", None, AT)
    assert model.rates.base == Rates(input=100_000, cached_input=50_000, output=400_000)
    assert (model.context_window, model.max_output_tokens, model.output_cap_field) == (
        32768,
        8192,
        "max_tokens",
    )
    assert (model.encoding, model.reasons) == (None, False)


def test_exact_name_goes_before_globs_and_longer_globs_before_shorter(catalog_of: MakeCatalog) -> None:
    tables = [("*", 1), ("llama-*", 2), ("llama-3*", 3), ("llama-3-70b", 4), ("*-free", 5)]
    text = "".join(f'[models."{name}"]\ninput = {usd}\noutput = 0\n' for name, usd in tables)
    catalog = catalog_of(text)
    asked = ["anything", "llama-2", "llama-3-8b", "llama-3-70b", "x-free", "gpt-4o"]
    found = [catalog.model(name, None, AT).rates.base.input for name in asked]
    assert found == [1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000, 1_000_000]


def test_glob_matches_the_whole_name_and_nothing_else_is_a_pattern(catalog_of: MakeCatalog) -> None:
    catalog = catalog_of('[models."m.1-*"]\ninput = 1\noutput = 1\n')
    assert [catalog.is_priced(name) for name in ("m.1-a", "mx1-a", "xm.1-a", "m.1")] == [
        True,
        False,
        False,
        False,
    ]


def test_star_with_zeros_makes_an_upstream_free(catalog_of: MakeCatalog) -> None:
    model = catalog_of('[models."*"]\ninput = "0"\noutput = "0"\n').model("whatever", "flex", AT)
    assert model.rates.base == Rates(input=0, output=0)
    assert model.max_output_tokens is not None
    assert model.max_output_tokens > 10**6  # nothing that is free is cut short


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", 'prices.toml must hold tables named [models."..."] only'),
        ("[other.x]\ninput = 1\n", 'prices.toml must hold tables named [models."..."] only'),
        ("models = 5\n", 'prices.toml must hold tables named [models."..."] only'),
        ("[models]\nx = 5\n", '[models."x"] must be a table'),
        ("[models.x]\ninput = 1\n", '[models."x"]: output is missing'),
        ("[models.x]\noutput = 1\n", '[models."x"]: input is missing'),
        ("[models.x]\ninput = 1\noutput = 1\nouput = 2\n", "[models.\"x\"]: unknown field 'ouput'"),
        (
            '[models.x]\ninput = "a"\noutput = 1\n',
            '[models."x"]: input must be USD per million tokens, like "0.10"',
        ),
        (
            "[models.x]\ninput = true\noutput = 1\n",
            '[models."x"]: input must be USD per million tokens, like "0.10"',
        ),
        ("[models.x]\ninput = -1\noutput = 1\n", '[models."x"]: input must be between 0 and 1000000'),
        ("[models.x]\ninput = nan\noutput = 1\n", '[models."x"]: input must be between 0 and 1000000'),
        ("[models.x]\ninput = inf\noutput = 1\n", '[models."x"]: input must be between 0 and 1000000'),
        ("[models.x]\ninput = 1000001\noutput = 1\n", '[models."x"]: input must be between 0 and 1000000'),
        (
            "[models.x]\ninput = 1\noutput = 1\ncontext_window = 0\n",
            '[models."x"]: context_window must be a whole number of tokens',
        ),
        (
            '[models.x]\ninput = 1\noutput = 1\nmax_output_tokens = "9"\n',
            '[models."x"]: max_output_tokens must be a whole number of tokens',
        ),
        (
            '[models.x]\ninput = 1\noutput = 1\noutput_cap_field = "limit"\n',
            '[models."x"]: output_cap_field must be one of max_tokens, max_completion_tokens',
        ),
        ("[models.x]\ninput = 1\noutput = 1\nreasons = 1\n", '[models."x"]: reasons must be true or false'),
    ],
)
def test_wrong_entry_names_itself_in_one_line(catalog_of: MakeCatalog, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        catalog_of(text)
    assert str(caught.value) == f"SPENDGATE_PRICES: {sentence}"


def test_text_that_is_no_toml_is_refused_with_its_place(catalog_of: MakeCatalog) -> None:
    with pytest.raises(ConfigError, match=r"^SPENDGATE_PRICES: prices\.toml: .*line 1.*$"):
        catalog_of("[models.x\n")


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "prices.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"^SPENDGATE_PRICES: prices\.toml: "):
        read_price_file(path, Decimal(1))


def test_decimal_prices_are_read_exactly(catalog_of: MakeCatalog) -> None:
    model = catalog_of("[models.x]\ninput = 0.1\noutput = 0.000001\nmax_output_tokens = 1\n").model(
        "x", None, AT
    )
    assert (model.rates.base.input, model.rates.base.output) == (100_000, 1)

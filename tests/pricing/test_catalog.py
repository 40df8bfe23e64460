"""Which models have a price: by name, tier and day; what of an unknown one is said."""

from datetime import timedelta

import pytest

from service.errors import ModelNotPriced
from service.pricing.catalog import Catalog
from tests.pricing.conftest import AT, MakeCatalog, model

MINE = '[models."gpt-4o-mini"]\ninput = "7"\noutput = "8"\nmax_output_tokens = 100\n'


def _why(catalog: Catalog, name: str, tier: str | None = None) -> str:
    with pytest.raises(ModelNotPriced) as caught:
        catalog.model(name, tier, AT)
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "model_not_priced", "model")
    return caught.value.message


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("gpt-4o-mimi", "gpt-4o-mini"),
        ("gpt4o", "gpt-4o"),
        ("o4mini", "o4-mini"),
        ("GPT-5.5-mini", "gpt-5.4-mini"),
    ],
)
def test_unknown_model_is_refused_with_the_nearest_name(name: str, near: str) -> None:
    assert _why(Catalog(None), name) == f"The model '{name}' has no price here. Did you mean '{near}'?"


def test_model_like_no_other_is_refused_without_a_guess() -> None:
    assert _why(Catalog(None), "zzzzzz") == "The model 'zzzzzz' has no price here."


@pytest.mark.parametrize(
    ("name", "family"),
    [("gpt-4o-mini-2024-07-18", "gpt-4o-mini"), ("GPT-4o-mini", "gpt-4o-mini"), ("o3-2025-04-16", "o3")],
)
def test_dated_name_has_the_price_of_its_family(name: str, family: str) -> None:
    assert model(name).rates == model(family).rates


@pytest.mark.parametrize(("name", "tier"), [("gpt-4o", "flex"), ("o1", "priority"), ("gpt-4o", "scale")])
def test_tier_without_a_price_is_refused(name: str, tier: str) -> None:
    assert _why(Catalog(None), name, tier) == f"The model '{name}' has no price in the service tier '{tier}'."


def test_tier_is_priced_from_the_day_its_price_begins() -> None:
    catalog = Catalog(None)
    assert catalog.model("gpt-4o", "priority", AT).rates.base.output == 17_000_000
    with pytest.raises(ModelNotPriced):
        catalog.model("gpt-4o", "priority", AT - timedelta(days=60))


@pytest.mark.parametrize("tier", [None, "auto"])
def test_call_that_names_no_tier_is_bounded_at_the_configured_one(tier: str | None) -> None:
    catalog = Catalog(None, default_tier="priority")
    assert catalog.model("gpt-4o", tier, AT).tier == "priority"
    assert catalog.model("gpt-4o", "default", AT).tier == "default"


def test_price_file_goes_before_the_built_in_data(catalog_of: MakeCatalog) -> None:
    catalog = catalog_of(MINE)
    assert catalog.model("gpt-4o-mini", None, AT).rates.base.input == 7_000_000
    assert catalog.model("gpt-4o", None, AT).rates.base.input == 2_500_000


def test_answer_is_priced_by_the_model_and_the_tier_it_names() -> None:
    catalog, asked = Catalog(None), model("gpt-5")
    assert (
        catalog.served("gpt-5-mini-2025-08-07", "priority", AT, asked).rates
        == model("gpt-5-mini", "priority").rates
    )
    assert catalog.served(None, "flex", AT, asked).rates == model("gpt-5", "flex").rates
    assert catalog.served("gpt-5-mini", None, AT, asked).rates == model("gpt-5-mini").rates


def test_answer_of_an_unpriced_model_or_tier_is_priced_as_asked() -> None:
    catalog, asked = Catalog(None), model("gpt-5", "flex")
    assert catalog.served("somebody-elses", "flex", AT, asked).rates == asked.rates
    assert catalog.served("somebody-elses", "scale", AT, asked).rates == asked.rates
    assert catalog.served(None, None, AT, asked) == asked
    assert catalog.served("gpt-4o", "flex", AT, asked).rates == model("gpt-5", "flex").rates


@pytest.mark.parametrize(
    ("name", "most", "reasons"),
    [
        ("gpt-4o-mini", 16_384, False),
        ("gpt-4o-2024-05-13", 4_096, False),
        ("gpt-4.1", 32_768, False),
        ("o3", 100_000, True),
        ("gpt-5", 128_000, True),
        ("gpt-5-chat-latest", 16_384, False),
        ("gpt-6-luna", 1_050_000, True),  # not in the table: the whole window
    ],
)
def test_model_knows_its_most_output_and_whether_it_reasons(name: str, most: int, reasons: bool) -> None:
    found = model(name)
    assert (found.max_output_tokens, found.reasons) == (most, reasons)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("gpt-4o", "o200k_base"),
        ("gpt-5", "o200k_base"),
        ("gpt-4.1", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
    ],
)
def test_model_knows_its_vocabulary(name: str, encoding: str) -> None:
    assert model(name).encoding == encoding


def test_is_priced_is_a_question_about_the_default_tier(catalog_of: MakeCatalog) -> None:
    catalog = catalog_of('[models."local-*"]\ninput = 0\noutput = 0\n')
    assert [catalog.is_priced(name) for name in ("gpt-4o", "local-1", "nobody")] == [True, True, False]


def test_models_without_the_configured_default_tier_are_served_at_the_standard_one() -> None:
    catalog = Catalog(None, default_tier="priority")
    assert catalog.model("gpt-4o-mini", None, AT).tier == "priority"
    assert catalog.model("text-embedding-3-small", None, AT).tier == "default"
    with pytest.raises(ModelNotPriced):
        catalog.model("text-embedding-3-small", "priority", AT)

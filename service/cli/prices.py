"""`spendgate prices`: the prices in force, where they are from and how old they are."""

from datetime import UTC, datetime

import click

from service.cli.output import json_option, print_json, print_object, print_table
from service.config import Settings, load_settings
from service.pricing.catalog import Catalog
from service.pricing.listing import data_source, data_warning, model_object, priced_models

LIST_COLUMNS = ("id", "input", "cached_input", "output", "context_window", "max_output_tokens")


@click.group()
def prices() -> None:
    """Show the prices in force (USD per million tokens) and how old they are."""


def _catalog(settings: Settings) -> Catalog:
    return Catalog(settings.prices, settings.price_multiplier, settings.default_service_tier)


@prices.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the models that have a price; each glob of SPENDGATE_PRICES stands for more."""
    settings = load_settings()
    shown = [model_object(model) for model in priced_models(settings, _catalog(settings))]
    if as_json:
        print_json(shown)
    else:
        print_table(shown, LIST_COLUMNS)


@prices.command()
@click.argument("model")
@click.option("--tier", help="default, flex or priority.")
@json_option
def show(model: str, tier: str | None, as_json: bool) -> None:
    """Show every rate of one model."""
    shown = model_object(_catalog(load_settings()).model(model, tier, datetime.now(UTC)))
    (print_json if as_json else print_object)(shown)


@prices.command()
def check() -> None:
    """Say where the prices are from; warn when they are older than 60 days."""
    settings = load_settings()
    _catalog(settings)
    click.echo(f"Prices: {data_source()}")
    if settings.prices:
        click.echo(f"Before them: {settings.prices}")
    if warning := data_warning():
        click.echo(f"Warning: {warning}", err=True)

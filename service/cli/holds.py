"""`spendgate holds`: what /admin/holds does, on the command line."""

import click

from service.cli.output import json_option, print_json, print_table
from service.cli.redis_at_hand import stores_at_hand
from service.hold_view import hold_object, resolved_object
from service.ledger.balances import open_holds
from service.ledger.by_hand import release_by_hand, settle_by_hand
from service.money import format_usd_for_people
from service.schemas.holds import load_hold_settle

LIST_COLUMNS = ("id", "state", "cause", "bound_usd", "admitted_at", "key_id", "project", "model")


@click.group()
def holds() -> None:
    """List holds, and resolve those in doubt: calls whose worker is gone or whose outcome is unknown."""


@holds.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the holds that are running or in doubt, by id."""
    with stores_at_hand() as stores:
        shown = sorted(map(hold_object, open_holds(stores.client)), key=lambda hold: hold["id"])
    if as_json:
        print_json(shown)
    else:
        print_table(shown, LIST_COLUMNS)


@holds.command()
@click.argument("hold")
@click.option("--cost-usd", required=True, metavar="USD", help="What the call did cost.")
@json_option
def settle(hold: str, cost_usd: str, as_json: bool) -> None:
    """Book what the call of a hold in doubt did cost."""
    cost_nano_usd = load_hold_settle({"cost_usd": cost_usd})
    with stores_at_hand() as stores:
        resolved = settle_by_hand(stores.client, stores.ledger, hold, cost_nano_usd)
    if as_json:
        print_json(resolved_object(resolved))
    else:
        cost = format_usd_for_people(cost_nano_usd)
        click.echo(f"{hold} is settled at {cost}, as row {resolved.row_id}.")


@holds.command()
@click.argument("hold")
@json_option
def release(hold: str, as_json: bool) -> None:
    """Give a hold in doubt back: its call cost nothing."""
    with stores_at_hand() as stores:
        resolved = release_by_hand(stores.client, stores.ledger, hold)
    if as_json:
        print_json(resolved_object(resolved))
    else:
        click.echo(f"{hold} is released.")

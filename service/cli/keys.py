"""`spendgate keys`: what /admin/keys does, on the command line."""

from collections.abc import Callable
from typing import Any

import click

from service.cli.output import json_option, print_json, print_object, print_table
from service.cli.redis_at_hand import stores_at_hand
from service.key_view import key_object
from service.schemas.admin import load_key_create, load_key_rotate, load_key_update

Command = Callable[..., Any]

LIST_COLUMNS = ("id", "name", "project", "status", "period", "spent_usd", "hard_limit_usd", "remaining_usd")


@click.group()
def keys() -> None:
    """Make, list, show, change, rotate and revoke keys. KEY is an id or a name."""


def _pairs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str] | None:
    pairs = [value.partition("=") for value in values]
    if any(not separator for _, separator, _ in pairs):
        raise click.BadParameter("expected NAME=VALUE")
    return {name: value for name, _, value in pairs} or None


_LIMITS = (
    click.option("--soft-limit-usd", metavar="USD", help="Above it calls pass, and are told so."),
    click.option("--hard-limit-usd", metavar="USD", help="Above it calls are refused."),
    click.option("--alert-threshold", "alert_thresholds", type=int, multiple=True, metavar="PER_CENT"),
    click.option("--model", "models", multiple=True, metavar="GLOB", help="A model the key may use."),
    click.option("--default-max-output-tokens", type=int),
    click.option("--requests-per-minute", type=int),
    click.option("--tokens-per-minute", type=int),
    click.option("--max-concurrency", type=int),
    click.option("--expires-at", metavar="TIME", help="When it stops working, like 2027-01-31T18:00:00Z."),
    click.option("--metadata", multiple=True, callback=_pairs, metavar="NAME=VALUE"),
)


def _limit_options(command: Command) -> Command:
    for option in reversed(_LIMITS):
        command = option(command)
    return command


def _key_argument(command: Command) -> Command:
    in_project = click.option("--project", help="The key's project, where its name is not unique.")
    return click.argument("key")(in_project(command))


def _body(options: dict[str, Any]) -> dict[str, Any]:
    """What was given on the command line, as the body of the API's call."""
    lists = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
    return {name: value for name, value in lists.items() if value not in (None, [])}


@keys.command()
@click.argument("name")
@click.option("--project", help="The project it belongs to; `default` unless said.")
@click.option("--period", help="day, week, month or total.")
@click.option("--timezone", help="The time zone the period begins in, like Europe/Zurich.")
@_limit_options
@click.option("--admin", is_flag=True, help="Make an admin key, for the control plane.")
@json_option
def create(name: str, admin: bool, as_json: bool, **options: Any) -> None:
    """Make a key. Its secret is shown this once, alone on a line of stdout."""
    body = _body(options)
    if admin and body:
        raise click.UsageError("An admin key takes no other options.")
    with stores_at_hand() as stores:
        if admin:
            shown: dict[str, Any] = {"object": "admin_key", "name": name, "key": stores.admins.create(name)}
        else:
            key, secret = stores.keys.create(load_key_create({"name": name, **body}))
            shown = key_object(key) | {"key": secret}
    _print_secret(shown, as_json)


def _print_secret(shown: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    owner = shown.get("id", "the admin key")
    click.echo(f"The secret of {owner} ({shown['name']}), shown this once:", err=True)
    click.echo(shown["key"])


@keys.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the keys, the oldest first."""
    with stores_at_hand() as stores:
        shown = [key_object(key) for key in stores.keys.all()]
    if as_json:
        print_json(shown)
    else:
        print_table(shown, LIST_COLUMNS)


@keys.command()
@_key_argument
@json_option
def show(key: str, project: str | None, as_json: bool) -> None:
    """Show a key: its limits, what it has spent, and what remains."""
    with stores_at_hand() as stores:
        shown = key_object(stores.keys.find(key, project))
    (print_json if as_json else print_object)(shown)


@keys.command()
@_key_argument
@click.option("--name", help="Another name.")
@_limit_options
@click.option("--clear", multiple=True, metavar="FIELD", help="A limit to take away, like hard_limit_usd.")
@json_option
def update(key: str, project: str | None, clear: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Change what is given; what was spent stays."""
    body = _body(options) | {field.replace("-", "_"): None for field in clear}
    if not body:
        raise click.UsageError("Nothing to change was given.")
    with stores_at_hand() as stores:
        found = stores.keys.find(key, project)
        shown = key_object(stores.keys.update(found.id, load_key_update(body)))
    (print_json if as_json else print_object)(shown)


@keys.command()
@_key_argument
@click.option("--overlap-seconds", type=int, default=0, show_default=True, help="The old one works so long.")
@json_option
def rotate(key: str, project: str | None, overlap_seconds: int, as_json: bool) -> None:
    """Give a key a new secret, shown this once, alone on a line of stdout."""
    overlap_seconds = load_key_rotate({"overlap_seconds": overlap_seconds})
    with stores_at_hand() as stores:
        found, secret = stores.keys.rotate(stores.keys.find(key, project).id, overlap_seconds)
    _print_secret(key_object(found) | {"key": secret}, as_json)


@keys.command()
@_key_argument
@json_option
def revoke(key: str, project: str | None, as_json: bool) -> None:
    """Revoke a key, from the next request on."""
    with stores_at_hand() as stores:
        shown = key_object(stores.keys.revoke(stores.keys.find(key, project).id))
    if as_json:
        print_json(shown)
    else:
        click.echo(f"{shown['id']} ({shown['name']}) is revoked.")

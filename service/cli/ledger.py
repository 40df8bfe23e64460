"""`spendgate ledger`: the rows, and whether the books are right."""

import sys

import click

from service.cli.output import json_option, print_json
from service.cli.redis_at_hand import stores_at_hand
from service.ledger.rows import COLUMNS, read_rows
from service.ledger.verify import verify as verify_books
from service.usage.export import export as export_rows
from service.usage.query import read_moment


@click.group()
def ledger() -> None:
    """Export and verify the books."""


@ledger.command()
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--key", help="Only rows of this key (an id or a name).")
@click.option("--model", help="Only rows of calls that asked for this model.")
@click.option("--from", "start", metavar="TIME", help="Only rows written from this time or day on.")
def export(form: str, key: str | None, model: str | None, start: str | None) -> None:
    """Print every row that is kept, the oldest first."""
    since = read_moment("from", start)
    with stores_at_hand() as stores:
        rows = read_rows(
            stores.client,
            key_id=stores.keys.find(key).id if key else None,
            model=model,
            from_ms=int(since.timestamp() * 1000) if since else 0,
        )
        for line in export_rows(form, rows, COLUMNS):
            click.echo(line, nl=False)


@ledger.command()
@json_option
def verify(as_json: bool) -> None:
    """Check that counters, books, rollups, holds and rows agree; exit 1 with each disagreement."""
    with stores_at_hand() as stores:
        problems = verify_books(stores.client)
    if as_json:
        print_json({"ok": not problems, "problems": problems})
    else:
        click.echo("\n".join(problems) or "The books are right.")
    sys.exit(1 if problems else 0)

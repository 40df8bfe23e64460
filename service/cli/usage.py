"""`spendgate usage`: what /admin/usage shows, on the command line."""

import click

from service.cli.output import json_option, print_json, print_table
from service.cli.redis_at_hand import stores_at_hand
from service.usage.query import read_usage_query
from service.usage.report import columns, flat, usage_report


@click.command()
@click.option("--from", "start", metavar="TIME", help="A time or a day, in UTC; 30 days before the end.")
@click.option("--to", "end", metavar="TIME", help="Where it ends, exclusive; now unless said.")
@click.option("--bucket", metavar="BUCKET", help="hour, day (the default) or month.")
@click.option("--group-by", metavar="GROUPS", help="Some of key,project,model,endpoint.")
@json_option
def usage(
    start: str | None, end: str | None, bucket: str | None, group_by: str | None, as_json: bool
) -> None:
    """Show what was used and what it cost."""
    query = read_usage_query({"from": start, "to": end, "bucket": bucket, "group_by": group_by})
    with stores_at_hand() as stores:
        report = usage_report(stores.client, query)
    if as_json:
        print_json(report)
    else:
        # All measures are in the JSON; a terminal is narrow.
        shown = [*columns(query.group_by)[: 2 + len(query.group_by)], *("requests", "input_tokens")]
        print_table(map(flat, report), [*shown, "output_tokens", "cost_usd"])

"""The command line: `spendgate`. Each command's module is imported when it is called.

`serve` patches the standard library for gevent before anything opens a socket, so nothing here may import
more than click. Commands call the stores; what an operator can mend is one line on stderr and exit 1.
"""

from importlib import import_module
from typing import Any

import click

from service import __version__

# Command -> its module here, and what it does.
COMMANDS = {
    "serve": ("serve", "Run the service."),
    "quickstart": ("serve", "Run the service, with a sandbox and first keys if there are none."),
    "sandbox": ("serve", "Run the built-in upstream alone."),
    "keys": ("keys", "Make, list, show, change, rotate and revoke keys."),
    "usage": ("usage", "Show what was used and what it cost."),
    "ledger": ("ledger", "Export and verify the books."),
    "holds": ("holds", "List holds, and resolve those in doubt."),
    "prices": ("prices", "Show the prices in force and how old they are."),
    "doctor": ("doctor", "Check settings, Redis, upstream and prices."),
    "openapi": ("openapi", "Print the API description."),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"{__name__}.{COMMANDS[cmd_name][0]}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except _errors_of_operators() as error:
            raise click.ClickException(" ".join(str(error).split())) from None


def _errors_of_operators() -> tuple[type[Exception], ...]:
    """What is told in one line. Asked for only when something was raised: see the imports above."""
    from service.config import ConfigError
    from service.errors import SpendgateError
    from service.serving.redis_server import EmbeddedRedisError

    return SpendgateError, ConfigError, EmbeddedRedisError


@click.group(cls=LazyGroup)
@click.version_option(__version__, prog_name="spendgate")
def main() -> None:
    """A gateway in front of the OpenAI API that never lets a key spend past its hard limit."""

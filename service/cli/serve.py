"""`spendgate serve`, `quickstart` and `sandbox`: the commands that stay running.

This module is imported before anything that opens sockets, and patches them first.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import replace  # noqa: E402

import click  # noqa: E402

from service.config import ConfigError, Settings, environment_has_upstream, load_settings  # noqa: E402
from service.schemas.admin import load_key_create  # noqa: E402
from service.serving.runner import require_admin_key, run_service  # noqa: E402
from service.upstream.sandbox import serve_sandbox  # noqa: E402
from service.wiring import Stores  # noqa: E402

DEMO_KEY = {"name": "demo", "soft_limit_usd": "4", "hard_limit_usd": "5"}
DEMO_BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Listen to your"}]}


def _settings(host: str | None, port: int | None, workers: int | None, sandbox: bool) -> Settings:
    settings = load_settings()
    chosen = {"host": host, "port": port, "workers": workers}
    settings = replace(settings, **{name: value for name, value in chosen.items() if value is not None})  # type: ignore[arg-type]
    return replace(settings, sandbox=sandbox)


def _serving_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--sandbox", is_flag=True, help="Put the built-in upstream behind the service."),
        click.option("--workers", type=click.IntRange(1, 256), help="Worker processes."),
        click.option("--port", type=click.IntRange(0, 65535), help="0 takes a free one."),
        click.option("--host", help="The address to listen on."),
    ):
        command = option(command)
    return command


@click.command()
@_serving_options
def serve(host: str | None, port: int | None, workers: int | None, sandbox: bool) -> None:
    """Run the service."""
    settings = _settings(host, port, workers, sandbox)
    if not sandbox and not environment_has_upstream():
        raise ConfigError("OPENAI_API_KEY is not set (nor OPENAI_BASE_URL); --sandbox serves without one")
    run_service(
        settings, prepare=require_admin_key, announce=lambda url: click.echo(f"Spendgate serves on {url}")
    )


@click.command()
@_serving_options
def quickstart(host: str | None, port: int | None, workers: int | None, sandbox: bool) -> None:
    """Run the service; on the first start make the keys it needs, and show each once."""
    settings = _settings(host, port, workers, sandbox or not environment_has_upstream())
    made: dict[str, str] = {}

    def announce(url: str) -> None:
        click.echo(_welcome(url, made, settings))

    run_service(settings, prepare=lambda stores: made.update(_first_keys(stores)), announce=announce)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8081, show_default=True, type=click.IntRange(0, 65535))
def sandbox(host: str, port: int) -> None:
    """Run the built-in upstream alone; prints its base URL."""
    serve_sandbox(host, port, lambda base_url: click.echo(base_url))


def _first_keys(stores: Stores) -> dict[str, str]:
    """The keys a first start needs and does not have; none later."""
    made = {}
    if not stores.admins.exist():
        made["admin"] = stores.admins.create("first")
    if not stores.keys.ids():
        _, made["demo"] = stores.keys.create(load_key_create(DEMO_KEY))
    return made


def _welcome(url: str, made: dict[str, str], settings: Settings) -> str:
    lines = ["", f"Spendgate serves on {url}"]
    if settings.sandbox:
        lines.append(
            "Upstream: the built-in sandbox (no OPENAI_API_KEY); it answers nonsense and costs nothing."
        )
    if "admin" in made:
        lines.append(f"Admin key, shown this once: {made['admin']}")
    if "demo" in made:
        lines.append(f"Demo key with a hard limit of $5.00, shown this once: {made['demo']}")
        key = made["demo"]
    else:
        lines.append("The keys were shown at the first start; `spendgate keys create NAME` makes another.")
        key = "$SPENDGATE_KEY"
    curl = (
        f"curl {url}/v1/chat/completions -H 'Content-Type: application/json' "
        f"-H \"Authorization: Bearer {key}\" -d '{json.dumps(DEMO_BODY)}'"
    )
    return "\n".join([*lines, "Try it:", "", curl, ""])

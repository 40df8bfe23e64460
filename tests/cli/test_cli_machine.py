"""`spendgate` itself: what it imports, which Redis it finds, `prices`, `doctor` and how it fails."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from service import __version__
from service.cli import COMMANDS, main
from service.pricing import listing
from service.serving.embedded_redis import start_embedded_redis
from tests.cli.conftest import Run

ROOT = Path(__file__).resolve().parents[2]


def spendgate(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, with an environment of its own."""
    command = [sys.executable, "-c", "from service.cli import main; main(prog_name='spendgate')", *args]
    settings = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=60, check=False)


def test_help_names_every_command_without_importing_any() -> None:
    script = (
        "import sys\nfrom service.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print(sorted({'ssl', 'redis', 'gevent', 'flask', 'socket'} & set(sys.modules)))"
    )
    lines = subprocess.check_output([sys.executable, "-c", script], text=True, cwd=ROOT).splitlines()
    assert lines[-1] == "[]"
    for command in COMMANDS:
        assert any(line.split()[:1] == [command] for line in lines), command


def test_version_is_told() -> None:
    assert spendgate("--version").stdout == f"spendgate, version {__version__}\n"


def test_every_subcommand_says_what_it_does(run: Run) -> None:
    for name in ("keys", "ledger", "holds", "prices"):
        group: Any = main.get_command(None, name)  # type: ignore[arg-type]
        for command in group.commands:
            assert len(run(name, command, "--help").stdout.splitlines()) > 4


def test_unknown_command_is_bad_usage(run: Run) -> None:
    assert "No such command" in run("nonsense", status=2).stderr


def test_command_starts_an_embedded_redis_and_keeps_what_it_wrote(tmp_path: Path) -> None:
    data_dir = str(tmp_path / "data")
    made = spendgate("keys", "create", "demo", "--json", SPENDGATE_DATA_DIR=data_dir)
    assert made.returncode == 0, made.stderr
    shown = spendgate("keys", "show", "demo", "--json", SPENDGATE_DATA_DIR=data_dir)
    assert json.loads(shown.stdout) == {k: v for k, v in json.loads(made.stdout).items() if k != "key"}


def test_command_joins_the_redis_of_a_running_service(run: Run, tmp_path: Path) -> None:
    with start_embedded_redis(tmp_path) as server:
        made = run("keys", "create", "demo", "--json", REDIS_URL=None, SPENDGATE_DATA_DIR=str(tmp_path))
        listed = run("keys", "list", "--json", REDIS_URL=server.url).json
    assert [key["id"] for key in listed] == [made.json["id"]]


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"REDIS_URL": "unix:///nonexistent/redis.sock"}, "REDIS_URL: Redis does not answer"),
        ({"REDIS_URL": "http://example.org"}, "REDIS_URL must be like"),
        ({"SPENDGATE_PORT": "eighty"}, "SPENDGATE_PORT must be a whole number"),
        ({"SPENDGATE_DATA_DIR": "/dev/null/x"}, "cannot be used"),
    ],
)
def test_trouble_is_one_line_and_never_a_traceback(environment: dict[str, str], told: str) -> None:
    ran = spendgate("keys", "list", **environment)
    assert (ran.returncode, ran.stdout) == (1, "")
    [line] = ran.stderr.splitlines()
    assert line.startswith("Error: ")
    assert told in line


def test_doctor_finds_a_sound_machine_sound(run: Run) -> None:
    lines = run("doctor").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", "Settings:"],
        ["ok", "Redis:"],
        ["ok", "Upstream:"],
        ["ok", "Prices:"],
    ]


def test_doctor_names_each_trouble_and_fails(run: Run) -> None:
    ran = run("doctor", status=1, OPENAI_API_KEY=None, REDIS_URL="unix:///nonexistent/redis.sock")
    lines = ran.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", "Settings:"],
        ["wrong", "Redis:"],
        ["wrong", "Upstream:"],
        ["ok", "Prices:"],
    ]
    assert "OPENAI_API_KEY" in lines[2]
    assert "SPENDGATE_PORT" in run("doctor", status=1, SPENDGATE_PORT="x").stderr


# Prices


def test_rates_of_a_model_are_shown_in_dollars_per_million(run: Run) -> None:
    shown = run("prices", "show", "gpt-4o-mini", "--json").json
    assert (shown["input"], shown["cached_input"], shown["output"]) == ("0.15", "0.075", "0.6")
    assert (
        run("prices", "show", "gpt-4o-mini", "--json", SPENDGATE_PRICE_MULTIPLIER="2").json["input"] == "0.3"
    )
    ran = run("prices", "show", "gpt-nonsense", status=1)
    assert ran.stderr.startswith("Error: The model 'gpt-nonsense' has no price here.")


def test_own_prices_are_listed_before_the_built_in_ones(run: Run, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(
        '[models."gemma-3-270m"]\ninput = "0.10"\noutput = "0.40"\ncontext_window = 32768\n'
        '[models."gpt-4o-mini"]\ninput = "7"\noutput = "8"\ncontext_window = 100\n'
        '[models."free-*"]\ninput = "0"\noutput = "0"\n'
    )
    listed = {
        model["id"]: model for model in run("prices", "list", "--json", SPENDGATE_PRICES=str(prices)).json
    }
    assert (listed["gemma-3-270m"]["input"], listed["gemma-3-270m"]["output"]) == ("0.1", "0.4")
    assert listed["gpt-4o-mini"]["input"] == "7"
    assert listed["o4-mini"]["input"] == "1.1"
    assert "free-*" not in listed
    assert "gemma-3-270m" in run("prices", "list", SPENDGATE_PRICES=str(prices)).stdout


def test_release_of_the_price_data_has_a_known_date() -> None:
    assert listing.data_version() in listing.DATA_DATES


def test_old_prices_are_warned_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    today = datetime.now(UTC).date()

    def at_age(days: int) -> tuple[str, str]:
        monkeypatch.setattr(listing, "DATA_DATES", {listing.data_version(): today - timedelta(days=days)})
        ran = run("prices", "check")
        return ran.stdout, ran.stderr

    assert at_age(60) == (
        f"Prices: genai-prices {listing.data_version()}, released {today - timedelta(days=60)}\n",
        "",
    )
    assert "is 61 days old" in at_age(61)[1]
    assert "wrong   Prices: " in run("doctor", status=1).stdout

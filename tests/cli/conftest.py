"""The command line, run in this process on the tests' Redis."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.cli import main

Run = Callable[..., "Ran"]


@dataclass
class Ran:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@pytest.fixture
def run(redis_url: str) -> Run:
    """Runs `spendgate ARGS...`, which must end with `status`."""

    def spendgate(*args: str, status: int = 0, **environment: str | None) -> Ran:
        settings = {"REDIS_URL": redis_url, "OPENAI_API_KEY": "sk-none", **environment}
        result: Result = CliRunner().invoke(main, args, prog_name="spendgate", env=settings)
        assert result.exit_code == status, result.output
        return Ran(result.exit_code, result.stdout, result.stderr)

    return spendgate

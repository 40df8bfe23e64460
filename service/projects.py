"""Projects: what keys belong to. A project is a scope of its own and lives in one shard."""

import time

from service.ledger import names
from service.ledger.connection import Client
from service.ledger.holds import Scope

DEFAULT_PROJECT = "default"


class Projects:
    """Project records in Redis."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def ensure(self, project: str) -> str:
        """Make the project if there is none of that name (without limits); gives its shard."""
        shard = names.shard_of_project(project)
        record = names.project(shard, project)
        now_ms = int(time.time() * 1000)
        with self._client.pipeline(transaction=True) as pipe:
            pipe.hsetnx(record, "created_at", now_ms).hsetnx(record, "period", "month")
            pipe.hsetnx(record, "timezone", "UTC").hsetnx(record, "name", project)
            pipe.zadd(names.projects(shard), {project: now_ms}, nx=True).execute()
        return shard

    def all(self) -> list[str]:
        """The ids of every project, shard by shard."""
        pipe = self._client.pipeline(transaction=False)
        for shard in names.SHARDS:
            pipe.zrange(names.projects(shard), 0, -1)
        return [project for projects in pipe.execute() for project in projects]


def project_scope(shard: str, project: str, period: str | None, timezone: str | None) -> Scope:
    return Scope("project", project, shard, period or "month", timezone or "UTC")

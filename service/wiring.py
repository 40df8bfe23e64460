"""The stores over one Redis, wired once: the service and the command line use the same."""

from dataclasses import dataclass

from service.admins import Admins
from service.config import Settings
from service.conversations import Conversations
from service.files import Files
from service.keys import Keys
from service.ledger.connection import Client, connect
from service.ledger.ledger import Ledger, new_worker_id
from service.presets import Presets
from service.projects import Projects
from service.responses import Responses


@dataclass(frozen=True)
class Stores:
    """Everything that is kept in Redis, each behind its own store."""

    client: Client
    ledger: Ledger
    projects: Projects
    keys: Keys
    admins: Admins
    presets: Presets
    conversations: Conversations
    files: Files
    responses: Responses


def open_stores(settings: Settings, redis_url: str, *, timeout_seconds: float | None = None) -> Stores:
    """The stores on that Redis. Nothing is asked of it yet. Without a time-out, the hot path's own."""
    client = connect(redis_url, timeout_seconds=timeout_seconds) if timeout_seconds else connect(redis_url)
    ledger = Ledger(client, worker=new_worker_id(), rows_kept=settings.ledger_rows)
    projects = Projects(client)
    return Stores(
        client=client,
        ledger=ledger,
        projects=projects,
        keys=Keys(client, ledger, projects),
        admins=Admins(client, settings.admin_key),
        presets=Presets(client),
        conversations=Conversations(client, settings.continuation_ttl_seconds),
        files=Files(client),
        responses=Responses(client),
    )

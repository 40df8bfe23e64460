"""gunicorn's options for Spendgate, from the settings."""

from typing import Any

from service.config import Settings

# After the drain: time for the last settles to land and for workers to leave.
AFTER_DRAIN_SECONDS = 4
MOST_CONNECTIONS_A_WORKER = 10_000


def gunicorn_options(settings: Settings) -> dict[str, Any]:
    """A dict of gunicorn's settings, for a config file or an embedded arbiter."""
    return {
        "bind": f"{_host(settings.host)}:{settings.port}",
        "workers": settings.workers,
        "worker_class": "service.serving.worker.Worker",
        "worker_connections": MOST_CONNECTIONS_A_WORKER,
        "graceful_timeout": settings.drain_seconds + AFTER_DRAIN_SECONDS,
        "timeout": 60,
        "keepalive": 5,
        "backlog": 2048,
        "accesslog": None,
        "loglevel": "warning",
        "proc_name": "spendgate",
        # Heartbeats go to memory where there is some: a slow disk must not look like a dead worker.
        "worker_tmp_dir": "/dev/shm",
        "control_socket_disable": True,
    }


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host

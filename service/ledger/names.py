"""The one map of everything Spendgate keeps in Redis.

Sixteen shards, `{sg0}` to `{sgf}`; a project lives in one of them, and all its names carry the
shard's hash tag, so that one script reaches all it needs and a cluster can spread the rest.

| name (shard s)                 | type   | holds                                                      |
| ------------------------------ | ------ | ---------------------------------------------------------- |
| `{sgs}:key:<key id>`           | hash   | a key: its record, limits and balances (a scope)           |
| `{sgs}:project:<project>`      | hash   | a project: the same (a scope)                              |
| `{sgs}:keys`                   | zset   | key ids by creation time (ms)                              |
| `{sgs}:projects`               | zset   | project ids by creation time (ms)                          |
| `{sgs}:names:<project>`        | hash   | key name -> key id, unique in a project                    |
| `{sgs}:secret:<sha256>`        | string | a secret's hash -> key id                                  |
| `{sgs}:held:<worker>`          | hash   | holds of one worker: `<hold>` -> JSON, `<hold>#` -> nano   |
| `{sgs}:workers`                | set    | workers that have holds here                               |
| `{sgs}:doubt`                  | hash   | holds in doubt, the same two fields and `<hold>@` -> cause |
| `{sgs}:unreadable`             | hash   | holds that could not be read: `<worker>/<field>` -> value  |
| `{sgs}:cancelled:<hold>`       | string | a hold that must never be taken (expires)                  |
| `{sgs}:ledger`                 | stream | ledger rows, each with its scopes' balances after it       |
| `{sgs}:books`                  | hash   | `spent:<scope>:<period>` -> nano, `row:...` -> last row id |
| `{sgs}:rollup:<hour>`          | hash   | `<key>|<project>|<model>|<endpoint>|<class>` -> count      |
| `{sgs}:hours`                  | zset   | the hours that have a rollup, by their start (epoch s)     |
| `{sgs}:outbox`                 | stream | events to be delivered                                     |
| `{sgs}:presets:<project>`      | hash   | preset's name -> its record (JSON)                         |
| `{sgs}:files:<project>`        | hash   | file's id -> the file object and when it came (JSON)       |
| `{sgs}:kept:<project>:<id>`    | string | a continuation that was kept (JSON; expires)               |
| `{sgs}:response:<id>`          | hash   | whose a stored response is, and its tokens (expires)       |
| `{sg}:layout`                  | string | version of this map                                        |
| `{sg}:leases`                  | zset   | worker -> when its lease runs out (epoch ms)               |
| `{sg}:sweeper`                 | string | the worker that sweeps just now (expires)                  |
| `{sg}:admins`                  | hash   | sha256 of an admin key -> its name                         |

Fields of a scope: `hard`, `soft` (nano-USD, absent = none), `thresholds` (per cent, commas),
`spent:<period>`, `held:<period>`, `doubt:<period>` (nano-USD), `running` (live holds),
`rpm`, `tpm`, `max_concurrency`, `tat:requests`, `tat:tokens` (when the bucket is full again, us),
`alerted:<period>:<per cent>:<limit>` (crossings that were told), `last_used_at` (epoch ms).
A key has besides: `name`, `project`, `status`, `period`, `timezone`, `created_at`, `expires_at`
(epoch ms), `models` (JSON), `models_lua`, `default_max_output_tokens`, `metadata` (JSON) and for
each secret `secret:<sha256>` -> when it stops being good (epoch ms, 0 = never) and `hint:<sha256>`.
"""

import zlib

LAYOUT_VERSION = "1"
SHARDS = "0123456789abcdef"

LAYOUT = "{sg}:layout"
LEASES = "{sg}:leases"
SWEEPER = "{sg}:sweeper"
ADMINS = "{sg}:admins"


def shard_of_project(project: str) -> str:
    """The shard a project lives in: fixed by its name, so nobody has to look it up."""
    return SHARDS[zlib.crc32(project.encode()) % len(SHARDS)]


def key(shard: str, key_id: str) -> str:
    return f"{{sg{shard}}}:key:{key_id}"


def project(shard: str, project_id: str) -> str:
    return f"{{sg{shard}}}:project:{project_id}"


def keys(shard: str) -> str:
    return f"{{sg{shard}}}:keys"


def projects(shard: str) -> str:
    return f"{{sg{shard}}}:projects"


def key_names(shard: str, project_id: str) -> str:
    return f"{{sg{shard}}}:names:{project_id}"


def secret(shard: str, secret_hash: str) -> str:
    return f"{{sg{shard}}}:secret:{secret_hash}"


def held(shard: str, worker: str) -> str:
    return f"{{sg{shard}}}:held:{worker}"


def workers(shard: str) -> str:
    return f"{{sg{shard}}}:workers"


def doubt(shard: str) -> str:
    return f"{{sg{shard}}}:doubt"


def unreadable(shard: str) -> str:
    return f"{{sg{shard}}}:unreadable"


def cancelled(shard: str, hold_id: str) -> str:
    return f"{{sg{shard}}}:cancelled:{hold_id}"


def ledger(shard: str) -> str:
    return f"{{sg{shard}}}:ledger"


def books(shard: str) -> str:
    return f"{{sg{shard}}}:books"


def rollup(shard: str, hour: str) -> str:
    return f"{{sg{shard}}}:rollup:{hour}"


def hours(shard: str) -> str:
    return f"{{sg{shard}}}:hours"


def outbox(shard: str) -> str:
    return f"{{sg{shard}}}:outbox"


def presets(shard: str, project_id: str) -> str:
    return f"{{sg{shard}}}:presets:{project_id}"


def files(shard: str, project_id: str) -> str:
    return f"{{sg{shard}}}:files:{project_id}"


def kept(shard: str, project_id: str, continuation_id: str) -> str:
    return f"{{sg{shard}}}:kept:{project_id}:{continuation_id}"


def response(shard: str, response_id: str) -> str:
    return f"{{sg{shard}}}:response:{response_id}"

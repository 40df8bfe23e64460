"""A continuation's transcript and results, as they grow round by round. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from service.money import format_usd
from service.operations.chat_gathered import objects
from service.secrets import random_text


@dataclass
class Run:
    """A continuation while it runs: the transcript and the results so far.

    `asked` is what was said since the last reply; it joins the transcript when it is answered.
    """

    id: str
    model: str
    messages: list[dict[str, Any]]
    asked: list[dict[str, Any]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    incomplete: str | None = None
    cost_nano_usd: int = 0

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "id": self.id,
            "object": "continuation",
            "model": self.model,
            "status": "incomplete" if self.incomplete else "completed",
            "results": self.results,
            "messages": self.messages,
            "usage": _sum_usage([result["usage"] for result in self.results]),
            "cost_usd": format_usd(self.cost_nano_usd),
        }
        if self.incomplete:
            body["incomplete_details"] = {"reason": self.incomplete}
        return body


def begin(fields: dict[str, Any], before: Sequence[dict[str, Any]] = ()) -> Run:
    """A run that has not asked anything yet; `before` is what was said in those it goes on from."""
    messages = list(before)
    if fields.get("system"):
        messages.append({"role": "system", "content": fields["system"]})
    for example in fields.get("examples") or ():
        messages.append({"role": "user", "content": example["user"]})
        messages.append({"role": "assistant", "content": example["assistant"]})
    messages.append({"role": "user", "content": fields["prompt"]})
    return Run(f"cont_{random_text(24)}", fields["model"], messages)


def take(run: Run, index: int, completion: dict[str, Any], cost_nano_usd: int) -> bool:
    """Add a round's replies to the run; whether it may go on. Without any it ends here."""
    run.cost_nano_usd += cost_nano_usd
    choices = [c for c in objects(completion.get("choices")) if isinstance(c.get("message"), dict)]
    if not choices:
        run.incomplete = "upstream_error"
        return False
    reported = completion.get("usage")
    usage = reported if isinstance(reported, dict) else None
    for number, choice in enumerate(choices):
        result = _result(index + number, choice)
        # One call, one usage, one cost: with several choices it stands with the first.
        result["usage"] = usage if number == 0 else None
        result["cost_usd"] = format_usd(cost_nano_usd if number == 0 else 0)
        run.results.append(result)
    message = choices[0]["message"]
    run.messages += [*run.asked, _as_input(message)]
    run.asked = []
    run.incomplete = _why_stop(message, choices[0].get("finish_reason"))
    return run.incomplete is None


def _result(index: int, choice: dict[str, Any]) -> dict[str, Any]:
    message = choice["message"]
    result = {
        "index": index,
        "content": message.get("content"),
        "finish_reason": choice.get("finish_reason"),
    }
    if message.get("refusal"):
        result["refusal"] = message["refusal"]
    if message.get("tool_calls"):
        result["tool_calls"] = message["tool_calls"]
    return result


def _as_input(message: dict[str, Any]) -> dict[str, Any]:
    """A reply as the assistant message it becomes."""
    appended: dict[str, Any] = {"role": "assistant", "content": message.get("content")}
    if message.get("refusal"):
        appended["refusal"] = message["refusal"]
    if message.get("tool_calls"):
        appended["tool_calls"] = message["tool_calls"]
    return appended


def _why_stop(message: dict[str, Any], finish_reason: str | None) -> str | None:
    """Why a reply ends the run; `stop` and `length` go on."""
    if message.get("tool_calls") or finish_reason in ("tool_calls", "function_call"):
        return "tool_calls"
    if message.get("refusal"):
        return "refusal"
    if finish_reason == "content_filter":
        return "content_filter"
    return None


def _sum_usage(usages: list[dict[str, Any] | None]) -> dict[str, Any]:
    """Usage objects added up, details included."""
    total: dict[str, Any] = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    for usage in usages:
        _add_usage(total, usage or {})
    return total


def _add_usage(total: dict[str, Any], usage: dict[str, Any]) -> None:
    for name, value in usage.items():
        if isinstance(value, dict):
            _add_usage(total.setdefault(name, {}), value)
        elif type(value) is int:
            total[name] = total.get(name, 0) + value

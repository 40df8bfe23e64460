"""Every route says whether it holds money or is free; there is no third kind.

`hold`: the view goes through the gateway with an Operation. `free`: nothing it does can cost money.
A test walks the route table and fails on a data-plane route that says neither.
"""

from collections.abc import Callable
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])

METERING = "spendgate_metering"


def hold(view: View) -> View:
    setattr(view, METERING, "hold")
    return view


def free(view: View) -> View:
    setattr(view, METERING, "free")
    return view

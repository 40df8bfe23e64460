"""What one running service is made of; the app keeps it, blueprints find it there."""

from dataclasses import dataclass

from service.config import Settings
from service.continuation import Continuations
from service.continuation_request import ContinuationRequests
from service.file_calls import FileCalls
from service.free_calls import FreeCalls
from service.gateway import Gateway
from service.ledger.landing import Landing
from service.ledger.lease import Lease
from service.pricing.catalog import Catalog
from service.quotes import Quotes
from service.upstream.client import Upstream
from service.wiring import Stores


@dataclass(frozen=True)
class Services:
    settings: Settings
    stores: Stores
    catalog: Catalog
    upstream: Upstream
    lease: Lease
    landing: Landing
    gateway: Gateway
    free_calls: FreeCalls
    continuations: Continuations
    continuation_requests: ContinuationRequests
    quotes: Quotes
    file_calls: FileCalls

    def shut_down(self, timeout_seconds: float) -> None:
        """Let what must be written land, then give the lease up."""
        self.landing.flush(timeout_seconds)
        self.landing.stop()
        self.lease.stop()

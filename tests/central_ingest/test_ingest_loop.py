"""The worker's loop, without a broker."""

import threading
from datetime import UTC, datetime
from typing import cast

import pytest

from central_ingest.config import IngestSettings
from central_ingest.errors import SubscriberStopped
from central_ingest.ingest import Ingest
from central_ingest.store.database import Engine
from central_ingest.store.filing import FilingRules
from central_ingest.store.housekeeping import HouseRules
from central_ingest.subscriber import Received, Subscriber


class Broken:
    """A subscriber whose reading fails in a way that nobody foresaw."""

    connected = False
    detail = ""

    def start(self) -> None:
        pass

    stop = start

    def take(self, wait_s: float) -> list[Received]:
        raise ArithmeticError(f"nothing within {wait_s} s")

    def send_receipts(self, receipts: object) -> int:
        del receipts
        return 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_whose_reading_fails_ends(engine: Engine) -> None:
    rules = FilingRules(), HouseRules()
    subscriber = cast("Subscriber", Broken())
    worker = Ingest(engine, subscriber, IngestSettings(), rules, lambda: datetime.now(UTC))
    with pytest.raises(SubscriberStopped, match="the reading thread ended"):
        worker.run(threading.Event(), "worker-1")

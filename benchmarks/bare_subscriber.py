"""A subscriber that only parses: what the centre's ingest could take in if it did nothing else.

Run as a process: `python -m benchmarks.bare_subscriber PORT REPORTS` says `ready` once it is
connected, then how many reports a second it took.
"""

import sys
import time

from central_ingest.config import BrokerSettings, IngestSettings
from central_ingest.intake import Readable, read
from central_ingest.subscriber import Subscriber

_CONNECT_S, _PATIENCE_S = 20.0, 60.0


def main() -> int:
    """Take, read and acknowledge so many reports."""
    port, wanted = map(int, sys.argv[1:])
    limits = IngestSettings()
    subscriber = Subscriber("bare", BrokerSettings(port=port, keepalive_s=60), limits)
    subscriber.start()
    ends_s = time.monotonic() + _CONNECT_S
    while not subscriber.connected and time.monotonic() < ends_s:
        time.sleep(0.01)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    came, first_s, last_s = 0, 0.0, time.perf_counter()
    while came < wanted and time.perf_counter() - last_s < _PATIENCE_S:
        if batch := subscriber.take(limits.batch_size, 0.1):
            first_s = first_s or time.perf_counter()
            came += sum(
                isinstance(read(b.delivery, limits.body_max_bytes), Readable) for b in batch
            )
            subscriber.acknowledge(batch)
            last_s = time.perf_counter()
    subscriber.stop()
    sys.stdout.write(f"{came / (last_s - first_s):.0f}\n" if came == wanted else "0\n")
    return 0 if came == wanted else 1


if __name__ == "__main__":
    sys.exit(main())

"""Files reports from a file (topic, tab, body a line) in batches, as an ingest worker does."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from central_ingest.errors import StoreUnavailable
from central_ingest.intake import Delivery, read
from central_ingest.store.batches import file_batch
from central_ingest.store.database import open_engine
from central_ingest.store.filing import FilingRules

url, path, size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
engine = open_engine(url)
now = datetime(2026, 7, 1, 8, 30, tzinfo=UTC)
lines = path.read_bytes().splitlines()
for at in range(0, len(lines), size):
    parts = [line.split(b"\t", 1) for line in lines[at : at + size]]
    messages = [read(Delivery(topic.decode(), body), 1 << 18) for topic, body in parts]
    while True:
        try:
            file_batch(engine, messages, FilingRules(), now)
            break
        except StoreUnavailable as error:
            sys.stderr.write(f"{error}\n")
engine.dispose()

"""How fast one agent offers reports: agents keep to it, and the centre takes at least that much."""

# A day's reports at one a second go in less than four minutes.
OFFERS_PER_S = 400.0
OFFERS_AT_ONCE = 50
# What was offered and has no receipt yet; the broker's bound on its queue counts with it
# (`central_ingest/broker_files.py`).
AHEAD_OF_RECEIPTS_MAX = 150

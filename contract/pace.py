"""How fast one agent offers reports: agents keep to it, and the centre takes at least that much."""

# A day's reports at one a second go in less than four minutes.
OFFERS_PER_S = 400.0
OFFERS_AT_ONCE = 50
# What was offered and has no receipt yet: less than the 1,000 messages that Mosquitto queues for a
# client that is away before it drops the rest.
AHEAD_OF_RECEIPTS_MAX = 150

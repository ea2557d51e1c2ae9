"""The centre: takes reports in, removes duplicates, opens cases, and lets people review them."""

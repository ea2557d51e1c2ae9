"""What agents and the centre say to each other: messages, topics, the catalogue."""

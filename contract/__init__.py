"""What agents and the centre say to each other: messages, topics and the catalogue of categories."""

"""The only place where MQTT topics are spelled: `gridwatch/1/<city>/<agent>/<leaf>`."""

import re
from dataclasses import dataclass
from enum import StrEnum

VERSION = "1"
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
_NAME = re.compile(NAME_PATTERN)


class Leaf(StrEnum):
    """The last level of a topic; who writes it is said by `AGENT_WRITES` and `CENTRE_WRITES`."""

    STATUS = "status"
    HEALTH = "health"
    ISSUE = "issue"
    RECEIPT = "receipt"
    COMMAND = "command"
    RESULT = "result"


AGENT_WRITES = frozenset({Leaf.STATUS, Leaf.HEALTH, Leaf.ISSUE, Leaf.RESULT})
CENTRE_WRITES = frozenset({Leaf.RECEIPT, Leaf.COMMAND})

# MQTT user properties of a published report; the body itself never changes between tries.
# Outbox and seq stand here too, so that a report whose body cannot be read is still receipted.
PROPERTY_PUBLISHED_AT = "published-at"
PROPERTY_REPLAYED = "replayed"
PROPERTY_OUTBOX_ID = "outbox-id"
PROPERTY_SEQ = "seq"


@dataclass(frozen=True, slots=True)
class AgentAddress:
    """One agent of one city: the identity that the broker's ACL vouches for."""

    city: str
    agent_id: str

    def __post_init__(self) -> None:
        for label, value in (("city", self.city), ("agent", self.agent_id)):
            if not _NAME.match(value):
                raise ValueError(
                    f"{label} {value!r} cannot stand in a topic: "
                    "1 to 64 letters, digits, '_' or '-' were expected"
                )

    def topic(self, leaf: Leaf) -> str:
        """The topic of this agent that ends in `leaf`."""
        return f"gridwatch/{VERSION}/{self.city}/{self.agent_id}/{leaf}"


def subscription(leaf: Leaf, *, share: str | None = None) -> str:
    """The filter that matches `leaf` of every agent of every city, shared by group where asked."""
    topic = f"gridwatch/{VERSION}/+/+/{leaf}"
    return f"$share/{share}/{topic}" if share else topic


def parse(topic: str) -> tuple[AgentAddress, Leaf]:
    """Take a topic apart. Raises ValueError on one that is not ours."""
    parts = topic.split("/")
    if len(parts) != 5 or parts[:2] != ["gridwatch", VERSION]:
        raise ValueError(f"topic {topic!r} is not gridwatch/{VERSION}/<city>/<agent>/<leaf>")
    return AgentAddress(parts[2], parts[3]), Leaf(parts[4])

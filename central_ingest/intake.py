"""Bytes from the broker → values of the contract; what cannot be read is named with its reason.

The agent named in the topic is the identity: a payload that says otherwise is not read.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from msgspec import Struct, field
from pydantic import ValidationError

from central_ingest.errors import UnreadableMessage, UnstorableReport
from central_ingest.parsing import read_quickly
from central_ingest.reports import Report, report_of
from contract.messages import AgentStatus, CameraHealth, Canary, CommandResult, IssueReport
from contract.topics import PROPERTY_OUTBOX_ID, PROPERTY_SEQ, AgentAddress, Leaf, parse

Message = Report | Canary | AgentStatus | CameraHealth | CommandResult
_Contract = IssueReport | Canary | AgentStatus | CameraHealth | CommandResult
_MODELS: dict[Leaf, type[_Contract]] = {
    Leaf.ISSUE: IssueReport,
    Leaf.STATUS: AgentStatus,
    Leaf.HEALTH: CameraHealth,
    Leaf.RESULT: CommandResult,
}
READ_LEAVES = tuple(_MODELS)
# A city has few topics, and each of them comes again and again.
_parse = lru_cache(maxsize=20_000)(parse)
SEQ_MAX = 2**63 - 1
_CANARY = re.compile(rb'"schema"\s*:\s*"canary/1\.')
_NUL = rb"\u0000"
_REASON_MAX = 500
_SHOWN_MAX = 60


class Delivery(Struct, frozen=True, gc=False):
    """One message as the broker handed it over, with its MQTT user properties."""

    topic: str
    body: bytes
    properties: Mapping[str, str] = field(default_factory=dict)


class OutboxSeq(Struct, frozen=True, gc=False):
    """A report's place in its agent's outbox: what receipts count."""

    outbox_id: UUID
    seq: int


class Readable(Struct, frozen=True, gc=False):
    """A message that was understood; `sha256` is its body's."""

    delivery: Delivery
    address: AgentAddress
    message: Message
    sha256: str


class Unreadable(Struct, frozen=True, gc=False):
    """A message that goes to quarantine; receipted where `address` and `place` are known."""

    delivery: Delivery
    reason: str
    address: AgentAddress | None = None
    place: OutboxSeq | None = None


def address_of(topic: str) -> AgentAddress:
    """The agent that a topic names. Raises ValueError on one that is not ours."""
    return _parse(topic)[0]


def read(delivery: Delivery, body_max_bytes: int) -> Readable | Unreadable:
    """Take a delivery apart; never raises."""
    if (quick := read_report(delivery, body_max_bytes)) is not None:
        return Readable(delivery, address_of(delivery.topic), *quick)
    address: AgentAddress | None = None
    try:
        address, leaf = _parse(delivery.topic)
        _check_size(delivery, body_max_bytes)
        _check_texts(delivery.body)
        said = _validate(leaf, delivery.body)
        message = report_of(said) if isinstance(said, IssueReport) else said
        _check_identity(address, message)
        sha256 = hashlib.sha256(delivery.body).hexdigest()
        return Readable(delivery, address, message, sha256)
    except (
        UnreadableMessage, UnstorableReport, ValueError, ArithmeticError, RecursionError,
    ) as error:  # fmt: skip
        reason = str(error)[:_REASON_MAX]
        return Unreadable(delivery, reason, address, _place(delivery, body_max_bytes))


def read_report(delivery: Delivery, body_max_bytes: int) -> tuple[Report, str] | None:
    """A report in the canonical form that agents of ours write, with its body's SHA-256.

    None for whatever else was delivered.
    """
    body = delivery.body
    if len(body) > body_max_bytes or _NUL in body:
        return None
    try:
        address, leaf = _parse(delivery.topic)
    except ValueError:
        return None
    if leaf is not Leaf.ISSUE or (said := read_quickly(body)) is None:
        return None
    if said.agent_id != address.agent_id or said.city != address.city:
        return None
    return report_of(said), hashlib.sha256(body).hexdigest()


def _check_size(delivery: Delivery, body_max_bytes: int) -> None:
    if len(delivery.body) > body_max_bytes:
        raise UnreadableMessage(
            f"the body has {len(delivery.body)} bytes; at most {body_max_bytes} are taken"
        )


def _check_texts(body: bytes) -> None:
    """Refuse NUL, which only one of the two databases holds. JSON can only escape it."""
    if _NUL in body and _holds_nul(_json_object(body)):
        raise UnreadableMessage("a text holds NUL; texts without it were expected")


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(one) for pair in value.items() for one in pair)
    return isinstance(value, list) and any(map(_holds_nul, value))


def place_of(report: Report | Canary) -> OutboxSeq:
    """Where a report stands in its agent's outbox."""
    return OutboxSeq(report.outbox_id, report.seq)


def _validate(leaf: Leaf, body: bytes) -> _Contract:
    model, name = _MODELS.get(leaf), leaf.value
    if leaf is Leaf.ISSUE and _CANARY.search(body):
        model, name = Canary, "canary"
    if model is None:
        raise UnreadableMessage(f"'{leaf.value}' is written by the centre, not read by it")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        problems = error
    return _validate_minor(name, model, body, problems)


def _validate_minor(
    name: str, model: type[_Contract], body: bytes, problems: ValidationError
) -> _Contract:
    """Read a later minor version as the one we know: its new fields are kept, not understood."""
    found = _json_object(body)
    schema = found.get("schema")
    known = f"{name}/1.0"
    if isinstance(schema, str) and schema != known and re.match(rf"^{name}/1\.\d+$", schema):
        try:
            return model.model_validate_json(json.dumps({**found, "schema": known}))
        except ValidationError as error:
            problems = error
    raise UnreadableMessage(_explain(problems)) from problems


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableMessage(f"the body is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise UnreadableMessage(f"the body is a JSON {type(found).__name__}; an object is expected")
    return found


def _explain(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    said = [
        f"{'.'.join(str(step) for step in problem['loc']) or 'message'}: {problem['msg']}, "
        f"found {_shown(problem['input'])}"
        for problem in problems[:3]
    ]
    more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
    return "; ".join(said) + more


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def _check_identity(address: AgentAddress, message: Message) -> None:
    if message.agent_id != address.agent_id:
        raise UnreadableMessage(
            f"the topic is of agent {address.agent_id}, the payload says {message.agent_id}"
        )
    city = getattr(message, "city", address.city)
    if city != address.city:
        raise UnreadableMessage(f"the topic is of city {address.city}, the payload says {city}")


def _place(delivery: Delivery, body_max_bytes: int) -> OutboxSeq | None:
    """Outbox and seq of a report that could not be read: by its properties, else by its body."""
    named = _as_place(
        delivery.properties.get(PROPERTY_OUTBOX_ID), delivery.properties.get(PROPERTY_SEQ)
    )
    if named is not None or len(delivery.body) > body_max_bytes:
        return named
    try:
        found = _json_object(delivery.body)
    except UnreadableMessage:
        return None
    return _as_place(found.get("outbox_id"), found.get("seq"))


def _as_place(outbox_id: Any, seq: Any) -> OutboxSeq | None:
    try:
        number = int(seq) if isinstance(seq, str | int) else 0
        place = OutboxSeq(UUID(outbox_id), number) if isinstance(outbox_id, str) else None
    except ValueError:
        return None
    return place if place is not None and 1 <= place.seq <= SEQ_MAX else None

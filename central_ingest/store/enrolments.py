"""Which agents are enrolled, and which certificates no longer count."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from central_ingest.store import tables as t
from central_ingest.store.bulk import select_rows
from contract.topics import AgentAddress


@dataclass(frozen=True, slots=True)
class Enrolled:
    """One agent: its certificate's serial number and end, or its password's hash."""

    address: AgentAddress
    serial: int | None
    password_hash: str | None
    not_after: datetime | None
    enrolled_at: datetime


def put_enrolled(connection: Connection, enrolled: Enrolled) -> None:
    """Remember an agent's credentials; a certificate that it had before is revoked."""
    end_enrolled(connection, enrolled.address.agent_id, enrolled.enrolled_at)
    connection.execute(
        insert(t.enrolment).values(
            agent_id=enrolled.address.agent_id,
            city=enrolled.address.city,
            serial=None if enrolled.serial is None else f"{enrolled.serial:x}",
            password_hash=enrolled.password_hash,
            not_after=enrolled.not_after,
            enrolled_at=enrolled.enrolled_at,
        )
    )


def end_enrolled(connection: Connection, agent_id: str, now: datetime) -> bool:
    """Forget an agent and revoke its certificate; false where it is not enrolled."""
    mine = t.enrolment.c.agent_id == agent_id
    row = connection.execute(select(t.enrolment).where(mine)).one_or_none()
    if row is None:
        return False
    if row.serial is not None:
        connection.execute(
            insert(t.revoked_certificate).values(
                serial=row.serial, agent_id=agent_id, revoked_at=now
            )
        )
    connection.execute(delete(t.enrolment).where(mine))
    return True


def list_enrolled(connection: Connection) -> list[Enrolled]:
    """Every agent that is enrolled, by name."""
    rows = connection.execute(select(t.enrolment).order_by(t.enrolment.c.agent_id))
    return [_enrolled(row) for row in rows]


def cities_of(connection: Connection, agent_ids: Collection[str]) -> dict[str, str]:
    """The city of each of these agents that is enrolled."""
    names = ("agent_id", "city")
    rows = select_rows(connection, t.enrolment, names, "agent_id {keys}", agent_ids)
    return {row[0]: row[1] for row in rows}


def other_city(connection: Connection, address: AgentAddress) -> str | None:
    """Another city in which an agent of this name is enrolled, if there is one."""
    e = t.enrolment.c
    found = select(e.city).where(e.agent_id == address.agent_id, e.city != address.city)
    return connection.execute(found).scalar_one_or_none()


def revoked_serials(connection: Connection) -> list[int]:
    """The serial numbers of all revoked certificates."""
    rows = connection.execute(select(t.revoked_certificate.c.serial)).scalars()
    return sorted(int(serial, 16) for serial in rows)


def _enrolled(row: Row[Any]) -> Enrolled:
    return Enrolled(
        address=AgentAddress(row.city, row.agent_id),
        serial=None if row.serial is None else int(row.serial, 16),
        password_hash=row.password_hash,
        not_after=row.not_after,
        enrolled_at=row.enrolled_at,
    )

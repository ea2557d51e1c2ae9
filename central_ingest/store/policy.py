"""The city's rules that every process must share: kept beside the cases that they govern."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, insert, select

from central_ingest.calendar import TimeLimit, WorkCalendar
from central_ingest.store import tables as t
from contract.catalogue import Category


@dataclass(frozen=True, slots=True)
class Policy:
    """How long a case of each category may take, and when people work.

    A place that was rejected as no issue is not reported for `suppress_days`.
    """

    deadlines: dict[Category, TimeLimit] = field(default_factory=dict)
    calendar: WorkCalendar = field(default_factory=WorkCalendar)
    suppress_days: float = 30.0


_POLICY = TypeAdapter(Policy)


def read_setting(connection: Connection, key: str) -> Any | None:
    """The value of one setting that lives in the database, or None."""
    return connection.execute(
        select(t.setting.c.value).where(t.setting.c.key == key)
    ).scalar_one_or_none()


def write_setting(connection: Connection, key: str, value: Any) -> None:
    """Replace one setting that lives in the database."""
    connection.execute(delete(t.setting).where(t.setting.c.key == key))
    connection.execute(insert(t.setting).values(key=key, value=value))


def read_policy(connection: Connection) -> Policy:
    """The policy in force."""
    stored = read_setting(connection, "policy")
    return Policy() if stored is None else _POLICY.validate_python(stored)


def write_policy(connection: Connection, policy: Policy) -> None:
    """Put a policy into force, from the next decision on."""
    write_setting(connection, "policy", _POLICY.dump_python(policy, mode="json"))

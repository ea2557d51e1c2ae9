"""Users, sessions and tokens: who may do what. Secrets are stored as hashes only."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, delete, exists, insert, select, update

from central_ingest.errors import NotAuthenticated
from central_ingest.store import tables as t

_HASHER = PasswordHasher()


class Role(StrEnum):
    """What somebody may do; each role of people includes those before it."""

    READER = "reader"
    OFFICER = "officer"
    ADMIN = "admin"
    AGENT = "agent"


_RANK = {Role.READER: 1, Role.OFFICER: 2, Role.ADMIN: 3}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether this actor's role includes `role`; agents are agents and nothing else."""
        if Role.AGENT in {role, self.role}:
            return role is self.role
        return _RANK[self.role] >= _RANK[role]


LOCAL = Actor("local", Role.ADMIN)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def is_open(connection: Connection) -> bool:
    """Whether nobody was ever configured: then the loopback user is trusted as `local`."""
    people = select(t.user.c.name).where(t.user.c.disabled_at.is_(None))
    tokens = select(t.token.c.name).where(
        t.token.c.role != Role.AGENT.value, t.token.c.revoked_at.is_(None)
    )
    return not connection.execute(select(exists(people) | exists(tokens))).scalar_one()


def agents_enrolled(connection: Connection) -> bool:
    """Whether agents prove themselves by tokens."""
    tokens = select(t.token.c.name).where(
        t.token.c.role == Role.AGENT.value, t.token.c.revoked_at.is_(None)
    )
    return bool(connection.execute(select(exists(tokens))).scalar_one())


def put_user(connection: Connection, actor: Actor, password: str, now: datetime) -> None:
    """Add a user, or give an existing one a new role and password and end their sessions."""
    values = {
        "role": actor.role.value,
        "password_hash": _HASHER.hash(password),
        "disabled_at": None,
    }
    changed = connection.execute(
        update(t.user).where(t.user.c.name == actor.name).values(**values)
    ).rowcount
    if not changed:
        connection.execute(insert(t.user).values(name=actor.name, created_at=now, **values))
    connection.execute(delete(t.session).where(t.session.c.user_name == actor.name))


def disable_user(connection: Connection, name: str, now: datetime) -> bool:
    """Lock a user out and end their sessions; false where there is no such user."""
    connection.execute(delete(t.session).where(t.session.c.user_name == name))
    disabled = update(t.user).where(t.user.c.name == name).values(disabled_at=now)
    return connection.execute(disabled).rowcount > 0


def list_users(connection: Connection) -> list[Actor]:
    """Everybody who can log in."""
    rows = connection.execute(
        select(t.user.c.name, t.user.c.role)
        .where(t.user.c.disabled_at.is_(None))
        .order_by(t.user.c.name)
    )
    return [Actor(row.name, Role(row.role)) for row in rows]


@cache
def _nobody() -> str:
    """Checked when the name is unknown, so that the answer takes as long as for a known one."""
    return _HASHER.hash(secrets.token_hex(16))


def password_hash(connection: Connection, name: str) -> str:
    """The stored hash of an enabled user; a hash that nothing matches for everybody else."""
    found = connection.execute(
        select(t.user.c.password_hash).where(t.user.c.name == name, t.user.c.disabled_at.is_(None))
    ).scalar_one_or_none()
    return found or _nobody()


def password_matches(stored_hash: str, password: str) -> bool:
    """Whether the password is the hash's; slow on purpose, so not inside a transaction."""
    try:
        return _HASHER.verify(stored_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def open_session(connection: Connection, name: str, now: datetime, lasts: timedelta) -> str:
    """Begin a session; returns the secret for the cookie, which is stored as a hash only."""
    secret = secrets.token_urlsafe(32)
    connection.execute(delete(t.session).where(t.session.c.expires_at < now))
    connection.execute(
        insert(t.session).values(
            token_sha256=_sha256(secret), user_name=name, created_at=now, expires_at=now + lasts
        )
    )
    return secret


def close_session(connection: Connection, secret: str) -> None:
    """End a session; nothing happens where there is none."""
    connection.execute(delete(t.session).where(t.session.c.token_sha256 == _sha256(secret)))


def actor_of_session(connection: Connection, secret: str, now: datetime) -> Actor:
    """Who owns this session. Raises NotAuthenticated when it is over or unknown."""
    row = connection.execute(
        select(t.user.c.name, t.user.c.role)
        .join(t.session, t.session.c.user_name == t.user.c.name)
        .where(
            t.session.c.token_sha256 == _sha256(secret),
            t.session.c.expires_at > now,
            t.user.c.disabled_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        raise NotAuthenticated("the session is over: log in again")
    return Actor(row.name, Role(row.role))


def issue_token(connection: Connection, actor: Actor, now: datetime) -> str:
    """Make a bearer token; an agent's earlier tokens end. Stored as a hash only."""
    secret = f"gw_{secrets.token_urlsafe(32)}"
    if actor.role is Role.AGENT:
        revoke_tokens(connection, actor, now)
    connection.execute(
        insert(t.token).values(
            token_sha256=_sha256(secret), name=actor.name, role=actor.role.value, created_at=now
        )
    )
    return secret


def revoke_tokens(connection: Connection, actor: Actor, now: datetime) -> int:
    """End every token of this name and role; returns how many."""
    mine = (t.token.c.name == actor.name) & (t.token.c.role == actor.role.value)
    ended = update(t.token).where(mine, t.token.c.revoked_at.is_(None)).values(revoked_at=now)
    return connection.execute(ended).rowcount


def actor_of_token(connection: Connection, secret: str) -> Actor:
    """Whose bearer token this is. Raises NotAuthenticated when it is revoked or unknown."""
    row = connection.execute(
        select(t.token.c.name, t.token.c.role).where(
            t.token.c.token_sha256 == _sha256(secret), t.token.c.revoked_at.is_(None)
        )
    ).one_or_none()
    if row is None:
        raise NotAuthenticated("this token is not known here, or was revoked")
    return Actor(row.name, Role(row.role))

"""Users, sessions and tokens."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from central_ingest.errors import NotAuthenticated
from central_ingest.store import access
from central_ingest.store import tables as t
from central_ingest.store.access import Actor, Role
from central_ingest.store.database import Engine, writing

NOW = datetime(2026, 7, 1, tzinfo=UTC)
LI = Actor("li.wei", Role.OFFICER)


@pytest.mark.parametrize(
    ("mine", "needed", "may"),
    [
        (Role.READER, Role.READER, True),
        (Role.READER, Role.OFFICER, False),
        (Role.OFFICER, Role.READER, True),
        (Role.ADMIN, Role.OFFICER, True),
        (Role.ADMIN, Role.AGENT, False),
        (Role.AGENT, Role.READER, False),
        (Role.AGENT, Role.AGENT, True),
    ],
)
def test_roles_include_those_before_them_and_agents_stand_apart(
    mine: Role, needed: Role, *, may: bool
) -> None:
    assert Actor("x", mine).may(needed) is may


def test_a_password_is_checked_against_its_hash_only(engine: Engine) -> None:
    with writing(engine) as connection:
        access.put_user(connection, LI, "correct horse", NOW)
        stored = access.password_hash(connection, "li.wei")
        assert "correct" not in stored
        assert access.password_matches(stored, "correct horse")
        assert not access.password_matches(stored, "wrong horse")
        unknown = access.password_hash(connection, "nobody")
        assert not access.password_matches(unknown, "correct horse")


def test_a_session_names_its_user_until_it_is_over(engine: Engine) -> None:
    with writing(engine) as connection:
        access.put_user(connection, LI, "correct horse", NOW)
        secret = access.open_session(connection, "li.wei", NOW, timedelta(hours=1))
        assert access.actor_of_session(connection, secret, NOW) == LI
        with pytest.raises(NotAuthenticated):
            access.actor_of_session(connection, secret, NOW + timedelta(hours=2))
        access.close_session(connection, secret)
        with pytest.raises(NotAuthenticated):
            access.actor_of_session(connection, secret, NOW)


def test_a_new_password_and_a_lockout_end_all_sessions(engine: Engine) -> None:
    with writing(engine) as connection:
        access.put_user(connection, LI, "correct horse", NOW)
        first = access.open_session(connection, "li.wei", NOW, timedelta(hours=1))
        access.put_user(connection, LI, "better horse", NOW)
        second = access.open_session(connection, "li.wei", NOW, timedelta(hours=1))
        assert access.disable_user(connection, "li.wei", NOW)
        for secret in (first, second):
            with pytest.raises(NotAuthenticated):
                access.actor_of_session(connection, secret, NOW)
        assert not access.password_matches(
            access.password_hash(connection, "li.wei"), "better horse"
        )


def test_an_agents_new_token_ends_the_old_one(engine: Engine) -> None:
    agent = Actor("gw-01", Role.AGENT)
    with writing(engine) as connection:
        old = access.issue_token(connection, agent, NOW)
        new = access.issue_token(connection, agent, NOW)
        assert access.actor_of_token(connection, new) == agent
        with pytest.raises(NotAuthenticated):
            access.actor_of_token(connection, old)
        assert access.agents_enrolled(connection)


def test_no_secret_is_stored(engine: Engine) -> None:
    with writing(engine) as connection:
        access.put_user(connection, LI, "correct horse", NOW)
        session = access.open_session(connection, "li.wei", NOW, timedelta(hours=1))
        token = access.issue_token(connection, Actor("gw-01", Role.AGENT), NOW)
        rows = [
            str(row)
            for table in (t.user, t.session, t.token)
            for row in connection.execute(select(table))
        ]
    assert not [row for row in rows for secret in (session, token, "correct") if secret in row]


def test_a_centre_is_open_until_somebody_is_configured(engine: Engine) -> None:
    with writing(engine) as connection:
        access.issue_token(connection, Actor("gw-01", Role.AGENT), NOW)
        assert access.is_open(connection)
        access.issue_token(connection, Actor("grafana", Role.READER), NOW)
        assert not access.is_open(connection)

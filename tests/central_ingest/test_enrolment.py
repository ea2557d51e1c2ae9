"""Joining, changing credentials and leaving: what is given once, and what stays behind."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from cryptography import x509

from central_ingest.enrolment import Addresses, BrokerFolder, Credentials, Joining, enrol, revoke
from central_ingest.errors import AuthorityError, ConfigError, NotAuthenticated
from central_ingest.store import access
from central_ingest.store.database import Engine, reading
from contract.enrolment import Enrolment
from contract.topics import AgentAddress

NOW = datetime(2026, 7, 1, tzinfo=UTC)
ADDRESSES = Addresses("mqtt.example.org", 0, "https://centre.example.org")


@pytest.fixture
def folder(tmp_path: Path) -> BrokerFolder:
    return BrokerFolder(tmp_path / "broker", tmp_path / "authority")


def join(
    engine: Engine, folder: BrokerFolder, credentials: Credentials, city: str = "bengbu",
    agent: str = "gw-01",
) -> Enrolment:  # fmt: skip
    joining = Joining(AgentAddress(city, agent), credentials)
    return enrol(engine, folder, joining, ADDRESSES, NOW)


@pytest.mark.parametrize(
    ("credentials", "port", "given"),
    [
        (Credentials.CERTIFICATE, 8883, {"ca", "certificate", "key"}),
        (Credentials.PASSWORD, 8884, {"ca", "username", "password"}),
        (Credentials.NONE, 1883, set()),
    ],
)
def test_an_enrolment_holds_what_its_kind_of_credentials_needs(
    engine: Engine, folder: BrokerFolder, credentials: Credentials, port: int, given: set[str]
) -> None:
    made = join(engine, folder, credentials)
    there = {name for name, value in made.broker if value is not None}
    assert there == {"host", "port"} | given
    assert made.broker.port == port
    with reading(engine) as connection:
        actor = access.actor_of_token(connection, made.centre.token.get_secret_value())
    assert actor == access.Actor("gw-01", access.Role.AGENT)


def test_only_hashes_and_serials_stay_behind(engine: Engine, folder: BrokerFolder) -> None:
    made = join(engine, folder, Credentials.PASSWORD)
    assert made.broker.password
    password = made.broker.password.get_secret_value()
    assert all(password not in file.read_text() for file in folder.path.iterdir())
    assert "gw-01:$7$" in (folder.path / "passwords").read_text()
    assert {file.stat().st_mode & 0o007 for file in folder.path.iterdir()} == {0}


def test_a_second_enrolment_ends_the_first(engine: Engine, folder: BrokerFolder) -> None:
    first, second = (join(engine, folder, Credentials.CERTIFICATE) for _ in range(2))
    crl = x509.load_pem_x509_crl((folder.path / "crl.pem").read_bytes())
    serials = [
        x509.load_pem_x509_certificate((made.broker.certificate or "").encode()).serial_number
        for made in (first, second)
    ]
    assert [crl.get_revoked_certificate_by_serial_number(s) is not None for s in serials] == [
        True, False,
    ]  # fmt: skip
    with reading(engine) as connection, pytest.raises(NotAuthenticated):
        access.actor_of_token(connection, first.centre.token.get_secret_value())


@pytest.mark.parametrize("before", [Credentials.CERTIFICATE, Credentials.PASSWORD])
def test_who_needs_no_credentials_any_more_has_none_on_the_broker(
    engine: Engine, folder: BrokerFolder, before: Credentials
) -> None:
    made = join(engine, folder, before)
    join(engine, folder, Credentials.NONE)
    assert "gw-01" not in (folder.path / "passwords").read_text()
    crl = x509.load_pem_x509_crl((folder.path / "crl.pem").read_bytes())
    if made.broker.certificate is not None:
        serial = x509.load_pem_x509_certificate(made.broker.certificate.encode()).serial_number
        assert crl.get_revoked_certificate_by_serial_number(serial) is not None


def test_a_site_without_credentials_has_no_files_for_its_broker(
    engine: Engine, folder: BrokerFolder
) -> None:
    join(engine, folder, Credentials.NONE)
    assert not folder.path.exists()
    assert not folder.authority.exists()


def test_a_revoked_agent_is_in_no_file_and_has_no_token(
    engine: Engine, folder: BrokerFolder
) -> None:
    made = join(engine, folder, Credentials.PASSWORD)
    assert revoke(engine, folder, "gw-01", NOW)
    assert not revoke(engine, folder, "gw-01", NOW)
    for name in ("acl", "passwords"):
        assert "gw-01" not in (folder.path / name).read_text()
    with reading(engine) as connection, pytest.raises(NotAuthenticated):
        access.actor_of_token(connection, made.centre.token.get_secret_value())


def test_one_name_belongs_to_one_city(engine: Engine, folder: BrokerFolder) -> None:
    join(engine, folder, Credentials.CERTIFICATE)
    with pytest.raises(ConfigError, match="enrolled in city bengbu"):
        join(engine, folder, Credentials.CERTIFICATE, city="suzhou")


def test_no_agent_takes_the_centres_own_account(engine: Engine, folder: BrokerFolder) -> None:
    with pytest.raises(ConfigError, match="the centre's own account"):
        join(engine, folder, Credentials.PASSWORD, agent="centre")


def test_a_folder_that_cannot_be_written_is_named(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AuthorityError, match="file: the broker's folder cannot be made"):
        BrokerFolder(tmp_path / "file", tmp_path / "authority").write(engine, NOW)


def contents(folder: BrokerFolder) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.path.iterdir()}


def test_the_broker_can_read_each_file_after_each_command(
    engine: Engine, folder: BrokerFolder, other_group: int
) -> None:
    folder.write(engine, NOW)
    for path in (folder.path, *folder.path.iterdir()):
        os.chown(path, -1, other_group)
    (folder.path / "crl.pem").unlink()
    join(engine, folder, Credentials.CERTIFICATE)
    join(engine, folder, Credentials.PASSWORD, agent="gw-02")
    revoke(engine, folder, "gw-01", NOW)
    folder.write_broker(["mqtt.example.org"], PurePosixPath("/gw"), "127.0.0.1", NOW)
    there = {file.name: file.stat() for file in folder.path.iterdir()}
    assert len(there) == 7
    assert {(s.st_gid, s.st_mode & 0o777) for s in there.values()} == {(other_group, 0o640)}
    assert {file.stat().st_gid for file in folder.authority.iterdir()} == {os.getegid()}


def test_where_the_enrolment_cannot_be_written_the_one_before_stays(
    engine: Engine, folder: BrokerFolder, tmp_path: Path
) -> None:
    first = join(engine, folder, Credentials.PASSWORD)
    before = contents(folder)
    joining = Joining(AgentAddress("bengbu", "gw-01"), Credentials.PASSWORD)
    with pytest.raises(AuthorityError, match=r"gw\.json: cannot be written"):
        enrol(engine, folder, joining, ADDRESSES, NOW, tmp_path / "none" / "gw.json")
    assert contents(folder) == before
    with reading(engine) as connection:
        assert access.actor_of_token(connection, first.centre.token.get_secret_value())


def test_where_the_brokers_files_cannot_be_written_nothing_changes(
    engine: Engine, folder: BrokerFolder, tmp_path: Path,
    other_group: int, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def refused(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    first = join(engine, folder, Credentials.PASSWORD)
    os.chown(folder.path / "passwords", -1, other_group)
    before = contents(folder)
    monkeypatch.setattr(os, "fchown", refused)
    joining = Joining(AgentAddress("bengbu", "gw-01"), Credentials.PASSWORD)
    with pytest.raises(AuthorityError, match="passwords: must stay with"):
        enrol(engine, folder, joining, ADDRESSES, NOW, tmp_path / "gw.json")
    with pytest.raises(AuthorityError, match="passwords: must stay with"):
        revoke(engine, folder, "gw-01", NOW)
    assert contents(folder) == before
    assert not (tmp_path / "gw.json").exists()
    with reading(engine) as connection:
        assert access.actor_of_token(connection, first.centre.token.get_secret_value())


def test_enrolments_at_the_same_time_all_reach_the_broker(
    engine: Engine, folder: BrokerFolder
) -> None:
    folder.write(engine, NOW)
    agents = [f"gw-{number:02}" for number in range(8)]
    with ThreadPoolExecutor(len(agents)) as pool:
        joined = [
            pool.submit(join, engine, folder, Credentials.PASSWORD, agent=agent) for agent in agents
        ]
        assert [one.result().agent_id for one in joined] == agents
    users = (folder.path / "acl").read_text()
    assert all(f"user {agent}\n" in users for agent in agents)

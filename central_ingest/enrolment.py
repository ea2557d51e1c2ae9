"""Agents join, change their credentials and leave; the broker's files follow.

What is enrolled stands in the database; the broker's files are written from it, whole, each time.
Credentials are shown once, in the enrolment, and kept as hashes and serial numbers only. All files
lie ready before the database commits and take their places after it: what cannot be written changes
nothing.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath

from pydantic import SecretStr

from central_ingest import broker_files
from central_ingest.authority import Authority
from central_ingest.broker_files import Account
from central_ingest.errors import AuthorityError, ConfigError
from central_ingest.private_files import NewFiles, write_private
from central_ingest.store import access, enrolments
from central_ingest.store.access import Actor, Role
from central_ingest.store.database import Connection, Engine, reading, writing
from central_ingest.store.enrolments import Enrolled
from central_ingest.store.fleet import forget_canary
from contract.enrolment import BrokerAccess, CentreAccess, Enrolment
from contract.topics import AgentAddress


class Credentials(StrEnum):
    """How an agent proves itself to the broker."""

    CERTIFICATE = "certificate"
    PASSWORD = "password"  # noqa: S105 -- the kind, no secret
    NONE = "none"


_USUAL_PORT = {
    Credentials.CERTIFICATE: broker_files.CERTIFICATE_PORT,
    Credentials.PASSWORD: broker_files.PASSWORD_PORT,
    Credentials.NONE: broker_files.LOCAL_PORT,
}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where agents find broker and centre; `broker_port` 0 is the usual port of the credentials."""

    broker_host: str
    broker_port: int
    centre_url: str


@dataclass(frozen=True, slots=True)
class Joining:
    """Who joins, how it will prove itself, and for how many days a certificate is valid."""

    address: AgentAddress
    credentials: Credentials
    days: int = 730


@dataclass(frozen=True, slots=True)
class BrokerFolder:
    """The folder that the broker reads, and the one of the CA, which it does not."""

    path: Path
    authority: Path

    def open_authority(self) -> Authority:
        """The CA; made at first use. Raises AuthorityError."""
        return Authority(self.authority)

    @contextmanager
    def new_files(self) -> Iterator[NewFiles]:
        """New files for the broker; another command at the same time waits for its turn.

        Otherwise the older of two states might be the one that stays. Raises AuthorityError.
        """
        path = Path(f"{self.authority}-turn")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            turn = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise AuthorityError(f"{path}: cannot be written ({error.strerror})") from error
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)
            with NewFiles() as files:
                yield files
        finally:
            os.close(turn)

    def write(self, engine: Engine, now: datetime) -> None:
        """Write accounts, ACL and revocation list as the database has them.

        Raises AuthorityError when a file cannot be written.
        """
        with self.new_files() as files, reading(engine) as connection:
            self.put_accounts(connection, now, files)

    def put_accounts(self, connection: Connection, now: datetime, files: NewFiles) -> None:
        """Lay accounts, ACL and revocation list ready as this transaction has them.

        Raises AuthorityError when a file cannot be written.
        """
        accounts = [
            Account(one.address, one.password_hash) for one in enrolments.list_enrolled(connection)
        ]
        revoked = enrolments.revoked_serials(connection)
        authority = self.open_authority()
        self._make_folder()
        texts = {
            "ca.pem": authority.pem,
            "crl.pem": authority.revocation_list(revoked, now),
            "acl": broker_files.acl(accounts),
            "passwords": broker_files.passwords(accounts, self._centre_hash()),
        }
        for name, text in texts.items():
            files.put_shared(self.path / name, text)

    def write_broker(
        self, hosts: list[str], seen_as: PurePosixPath, local_address: str, now: datetime
    ) -> Path:
        """Write Mosquitto's configuration and its server certificate; returns the former's path."""
        server = self.open_authority().for_server(hosts, now, days=825)
        state = PurePosixPath("/var/lib/mosquitto")
        conf = broker_files.mosquitto_conf(seen_as, state, local_address)
        self._make_folder()
        with self.new_files() as files:
            files.put_shared(self.path / "server.pem", server.pem)
            files.put_shared(self.path / "server.key", server.key_pem)
            files.put_shared(self.path / "mosquitto.conf", conf)
        return self.path / "mosquitto.conf"

    @property
    def centre_secret(self) -> Path:
        """The file of the centre's own password on the broker, for GRIDWATCH_SECRETS_DIR."""
        return self.authority / "secrets" / "MQTT_CENTRE"

    def _centre_hash(self) -> str:
        """The hash of the centre's password, which is made once."""
        try:
            self.centre_secret.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self.centre_secret.exists():
                write_private(self.centre_secret, secrets.token_urlsafe(32))
            return broker_files.password_hash(self.centre_secret.read_text("utf-8").strip())
        except OSError as error:
            raise AuthorityError(
                f"{self.centre_secret}: the centre's password cannot be kept ({error.strerror})"
            ) from error

    def _make_folder(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o750)
        except OSError as error:
            raise AuthorityError(
                f"{self.path}: the broker's folder cannot be made ({error.strerror})"
            ) from error


def enrol(
    engine: Engine,
    folder: BrokerFolder,
    joining: Joining,
    addresses: Addresses,
    now: datetime,
    out: Path | None = None,
) -> Enrolment:
    """Give an agent credentials; what it had before ends with this.

    With `out`, they are also written there, for its owner's eyes only. Where a file cannot be
    written nothing changes. Raises ConfigError when another city has an agent of this name, or it
    is the centre's own; AuthorityError.
    """
    address, credentials = joining.address, joining.credentials
    if address.agent_id == broker_files.CENTRE_ACCOUNT:
        raise ConfigError(
            f"agent {address.agent_id}: that is the centre's own account on the broker; choose "
            "another name"
        )
    certificate = password = None
    if credentials is Credentials.CERTIFICATE:
        certificate = folder.open_authority().for_agent(address.agent_id, now, joining.days)
    if credentials is Credentials.PASSWORD:
        password = secrets.token_urlsafe(32)
    enrolled = Enrolled(
        address=address,
        serial=certificate.serial if certificate else None,
        password_hash=broker_files.password_hash(password) if password else None,
        not_after=certificate.not_after if certificate else None,
        enrolled_at=now,
    )
    broker = BrokerAccess(
        host=addresses.broker_host,
        port=addresses.broker_port or _USUAL_PORT[credentials],
        ca=None if credentials is Credentials.NONE else folder.open_authority().pem,
        certificate=certificate.pem if certificate else None,
        key=SecretStr(certificate.key_pem) if certificate else None,
        username=address.agent_id if password else None,
        password=SecretStr(password) if password else None,
    )
    with folder.new_files() as files, writing(engine) as connection:
        token = _put_enrolled(connection, enrolled)
        centre = CentreAccess(url=addresses.centre_url, token=SecretStr(token))
        made = Enrolment(city=address.city, agent_id=address.agent_id, broker=broker, centre=centre)
        if out is not None:
            files.put(out, made.to_file() + "\n")
        # A site without credentials has no authority; else what the agent had before ends there.
        if credentials is not Credentials.NONE or folder.authority.exists():
            folder.put_accounts(connection, now, files)
    return made


def _put_enrolled(connection: Connection, enrolled: Enrolled) -> str:
    """Remember an agent in place of what it was before; its new token."""
    address = enrolled.address
    if other := enrolments.other_city(connection, address):
        raise ConfigError(
            f"agent {address.agent_id} is enrolled in city {other}; names are the accounts on "
            "the broker, so choose another"
        )
    enrolments.put_enrolled(connection, enrolled)
    actor = Actor(address.agent_id, Role.AGENT)
    return access.issue_token(connection, actor, enrolled.enrolled_at)


def revoke(engine: Engine, folder: BrokerFolder, agent_id: str, now: datetime) -> bool:
    """End an agent's token, account and certificate; false where it was not enrolled.

    Raises AuthorityError where the broker's files cannot be written; then nothing has ended.
    """
    with folder.new_files() as files, writing(engine) as connection:
        known = enrolments.end_enrolled(connection, agent_id, now)
        forget_canary(connection, agent_id)
        tokens = access.revoke_tokens(connection, Actor(agent_id, Role.AGENT), now)
        if folder.authority.exists():
            folder.put_accounts(connection, now, files)
    return known or tokens > 0

"""The centre's own certificate authority: for the broker's server certificate and agents' own.

Elliptic curve P-256, X.509 version 3. The CA's key stays in its folder, which only its owner reads;
an agent's key is made here once, travels in its enrolment and is kept nowhere else.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from central_ingest.errors import AuthorityError
from central_ingest.private_files import NewFiles

VALID_DAYS = 20 * 365  # the CA; what it signs ends no later
KEY, CERTIFICATE = "ca.key", "ca.pem"
LEEWAY = timedelta(hours=1)  # for clocks that are behind ours
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key as PEM texts, and what names it in a revocation list."""

    pem: str
    key_pem: str
    serial: int
    not_after: datetime


@dataclass(frozen=True, slots=True)
class _Wanted:
    name: str
    not_after: datetime
    usage: x509.ObjectIdentifier
    alternatives: tuple[x509.GeneralName, ...] = ()


class Authority:
    """The CA in a folder; it is made at first use."""

    def __init__(self, folder: Path) -> None:
        """Open it, or make it. Raises AuthorityError when its files cannot be read or written."""
        self._key_path, self._path = folder / KEY, folder / CERTIFICATE
        try:
            if not self._path.exists():
                with _alone(folder):
                    self._make_once()
            self.pem = self._path.read_text("ascii")
            key = serialization.load_pem_private_key(self._key_path.read_bytes(), None)
            self._certificate = x509.load_pem_x509_certificate(self.pem.encode())
        except (OSError, ValueError) as error:
            raise AuthorityError(
                f"{folder}: the certificate authority cannot be read or made ({error}); "
                "restore ca.pem and ca.key from the backup"
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise AuthorityError(f"{self._key_path}: no elliptic-curve key, which was expected")
        self._key = key

    def for_agent(self, agent_id: str, now: datetime, days: int) -> Certificate:
        """A client certificate whose common name is the agent, the broker's user name."""
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
        return self._issue(_Wanted(agent_id, now + timedelta(days=days), usage), now)

    def for_server(self, hosts: Sequence[str], now: datetime, days: int) -> Certificate:
        """A server certificate for these host names and addresses."""
        wanted = _Wanted(
            hosts[0],
            now + timedelta(days=days),
            ExtendedKeyUsageOID.SERVER_AUTH,
            tuple(_alternative(host) for host in hosts),
        )
        return self._issue(wanted, now)

    def revocation_list(self, serials: Sequence[int], now: datetime) -> str:
        """The list of revoked certificates, valid as long as the CA; made anew at each change."""
        until = self._certificate.not_valid_after_utc
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(now - LEEWAY)
            .next_update(until)
            .add_extension(self._authority_identifier(), critical=False)
        )
        for serial in serials:
            revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
            builder = builder.add_revoked_certificate(revoked.build())
        return builder.sign(self._key, hashes.SHA256()).public_bytes(_PEM).decode()

    def _issue(self, wanted: _Wanted, now: datetime) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(wanted.name, self._certificate.subject, key.public_key())
            .not_valid_before(now - LEEWAY)
            .not_valid_after(min(wanted.not_after, self._certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([wanted.usage]), critical=False)
            .add_extension(self._authority_identifier(), critical=False)
        )
        if wanted.alternatives:
            names = x509.SubjectAlternativeName(wanted.alternatives)
            builder = builder.add_extension(names, critical=False)
        made = builder.sign(self._key, hashes.SHA256())
        pem = made.public_bytes(_PEM).decode()
        return Certificate(pem, _key_pem(key), made.serial_number, made.not_valid_after_utc)

    def _authority_identifier(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())

    def _make_once(self) -> None:
        if self._path.exists():  # another command made it meanwhile
            return
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Gridwatch CA")])
        now = datetime.now(UTC)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        made = (
            _builder("Gridwatch CA", name, key.public_key())
            .not_valid_before(now - LEEWAY)
            .not_valid_after(now + timedelta(days=VALID_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(ca=True), critical=True)
            .add_extension(identifier, critical=False)
            .sign(key, hashes.SHA256())
        )
        with NewFiles() as files:
            files.put(self._key_path, _key_pem(key))
            files.put(self._path, made.public_bytes(_PEM).decode())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Make the folder; another command that does so at the same time waits here."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _builder(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    plain = serialization.NoEncryption()
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, plain).decode()

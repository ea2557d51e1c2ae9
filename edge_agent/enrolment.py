"""The file that the centre gave this agent, and TLS made from it or from files of one's own.

Secrets stay inside `SecretStr` until a connection is made; no message shows one.
"""

import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from contract.enrolment import BrokerAccess, Enrolment
from edge_agent.errors import ConfigError

READABLE_BY_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the CA, and a client certificate with its key where the broker wants one."""

    ca: Path | None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Make a client's context. Raises OSError when a file cannot be used."""
        context = _context(str(self.ca) if self.ca else None)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context


def read_enrolment(path: Path) -> Enrolment:
    """Read an enrolment. Raises ConfigError; the message never shows what the file holds."""
    try:
        if path.stat().st_mode & READABLE_BY_OTHERS:
            raise ConfigError(f"{path}: others may read this secret; run: chmod 600 {path}")
        return Enrolment.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"{path}: the enrolment cannot be read ({error.strerror}); it is what "
            "'central-ingest enrol' wrote"
        ) from None
    except ValidationError as error:
        where = [".".join(map(str, one["loc"])) or "the file" for one in error.errors()[:3]]
        raise ConfigError(
            f"{path}: is no enrolment of version 1 (wrong: {', '.join(where)}); copy the file that "
            "'central-ingest enrol' wrote once more"
        ) from None


def enrolled_context(access: BrokerAccess) -> ssl.SSLContext:
    """Make a client's context from an enrolment. Raises OSError, ValueError for broken PEM."""
    context = _context(None, access.ca)
    if access.certificate is not None and access.key is not None:
        # OpenSSL reads a chain from a file only: one that nobody else reads, for this moment.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as chain:
            chain.write(access.certificate + access.key.get_secret_value())
            chain.flush()
            context.load_cert_chain(chain.name)
    return context


def _context(cafile: str | None, cadata: str | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=cafile, cadata=cadata)
    return context

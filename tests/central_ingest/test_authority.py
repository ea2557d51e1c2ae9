"""The centre's own CA: what it signs, what it revokes, and who can read its key."""

import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from cryptography import x509

from central_ingest.authority import Authority
from central_ingest.errors import AuthorityError
from central_ingest.private_files import write_private

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def test_it_is_made_once_and_opened_again(tmp_path: Path) -> None:
    first = Authority(tmp_path / "authority")
    assert Authority(tmp_path / "authority").pem == first.pem
    assert (tmp_path / "authority" / "ca.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "authority").stat().st_mode & 0o777 == 0o700


def test_commands_that_need_it_first_at_the_same_time_make_one(tmp_path: Path) -> None:
    together = Barrier(8)

    def opened(_: int) -> str:
        together.wait(10)
        return Authority(tmp_path / "authority").pem

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(opened, range(8)))) == 1
    assert {path.name for path in (tmp_path / "authority").iterdir()} == {"ca.key", "ca.pem"}


def test_an_agents_certificate_names_it_and_ends_in_time(tmp_path: Path) -> None:
    made = Authority(tmp_path).for_agent("gw-01", NOW, days=30)
    certificate = x509.load_pem_x509_certificate(made.pem.encode())
    assert certificate.subject.rfc4514_string() == "CN=gw-01"
    assert made.not_after == NOW + timedelta(days=30)
    assert certificate.serial_number == made.serial
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_openssl_takes_a_chain_of_ca_and_server(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = authority.for_server(["mqtt.example.org", "127.0.0.1"], NOW, days=30)
    chain = tmp_path / "chain.pem"
    write_private(chain, server.pem + server.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    context.load_verify_locations(cadata=authority.pem)
    names = x509.load_pem_x509_certificate(server.pem.encode()).extensions
    alternatives = names.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.DNSName) == ["mqtt.example.org"]
    assert [str(ip) for ip in alternatives.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_the_revocation_list_names_what_was_revoked(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    gone = authority.for_agent("gw-01", NOW, days=30).serial
    held = authority.for_agent("gw-02", NOW, days=30).serial
    revoked = x509.load_pem_x509_crl(authority.revocation_list([gone], NOW).encode())
    assert revoked.get_revoked_certificate_by_serial_number(gone) is not None
    assert revoked.get_revoked_certificate_by_serial_number(held) is None


@pytest.mark.parametrize("name", ["ca.key", "ca.pem"])
def test_a_broken_ca_is_named(tmp_path: Path, name: str) -> None:
    Authority(tmp_path)
    (tmp_path / name).write_text("nonsense")
    with pytest.raises(AuthorityError, match=r"restore ca\.pem and ca\.key"):
        Authority(tmp_path)

"""Evidence in a bucket, on a real S3 server of the test's own."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import obstore
import pytest
from obstore.store import S3Store
from pydantic import SecretStr

from central_ingest.config import S3Settings
from central_ingest.errors import EvidenceAway, EvidenceMismatch, NotFound
from central_ingest.evidence import EvidenceStore, Upload
from central_ingest.evidence_s3 import S3Shelf

moto_server = pytest.importorskip(
    "moto.server", reason="needs moto and flask: pip install '.[dev]'"
)

PICTURE = b"\xff\xd8\xff" + b"masked" * 1000
SHA256 = hashlib.sha256(PICTURE).hexdigest()
UPLOAD = Upload(SHA256, "image/jpeg", 0, len(PICTURE))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An S3 server with a bucket."""
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    httpx.put(f"http://{host}:{port}/evidence", timeout=60).raise_for_status()
    yield f"http://{host}:{port}"
    server.stop()


def settings(endpoint: str, prefix: str = "", cache_bytes: int = 10**9) -> S3Settings:
    return S3Settings(
        bucket="evidence",
        prefix=prefix,
        endpoint=endpoint,
        access_key_id=SecretStr("AKIAPLANTED"),
        secret_access_key=SecretStr("PLANTED-SECRET"),
        cache_bytes=cache_bytes,
    )


def server(folder: Path, name: str, wanted: S3Settings) -> EvidenceStore:
    """One of several API servers, each with a folder of its own."""
    return EvidenceStore(folder / name, 10**6, S3Shelf(wanted, folder / name / "fetched"))


def bucket(store: EvidenceStore) -> S3Store:
    """The bucket behind a server's back."""
    assert isinstance(store._shelf, S3Shelf)
    return store._shelf._store


def send(store: EvidenceStore, upload: Upload = UPLOAD, data: bytes = PICTURE) -> None:
    with store.receive(upload) as arriving:
        arriving.write(data)
    store.finish(upload)


def test_what_one_server_took_another_one_shows(endpoint: str, tmp_path: Path) -> None:
    one, other = (server(tmp_path, n, settings(endpoint, "shared/")) for n in ("one", "other"))
    assert not other.holds(SHA256)
    send(one)
    assert one.holds(SHA256)
    assert other.holds(SHA256)
    assert other.path(SHA256).read_bytes() == PICTURE
    assert list((tmp_path / "one" / "partial").iterdir()) == []
    found = obstore.get(bucket(one), f"shared/{SHA256[:2]}/{SHA256}")
    assert (bytes(found.bytes()), found.attributes["Content-Type"]) == (PICTURE, "image/jpeg")


def test_only_what_its_name_says_reaches_the_bucket(endpoint: str, tmp_path: Path) -> None:
    store = server(tmp_path, "one", settings(endpoint, "wrong/"))
    with pytest.raises(EvidenceMismatch):
        send(store, data=PICTURE[:-1] + b"!")
    assert not store.holds(SHA256)


def test_an_object_that_somebody_changed_is_not_shown(endpoint: str, tmp_path: Path) -> None:
    store = server(tmp_path, "one", settings(endpoint, "changed/"))
    send(store)
    obstore.put(bucket(store), f"changed/{SHA256[:2]}/{SHA256}", b"\xff\xd8\xffother")
    with pytest.raises(NotFound, match="somebody changed it"):
        store.path(SHA256)
    assert list((tmp_path / "one" / "fetched").iterdir()) == []


def test_what_was_never_sent_is_not_there(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        server(tmp_path, "one", settings(endpoint)).path("0" * 64)


def test_the_folder_of_fetched_files_is_bounded(endpoint: str, tmp_path: Path) -> None:
    store = server(tmp_path, "one", settings(endpoint, "many/", cache_bytes=3 * len(PICTURE)))
    for number in range(6):
        data = PICTURE + bytes([number])
        sha256 = hashlib.sha256(data).hexdigest()
        send(store, Upload(sha256, "image/jpeg", 0, len(data)), data)
        os.utime(store.path(sha256), (number, number))  # asked for long ago
    assert len(list((tmp_path / "one" / "fetched").iterdir())) <= 3


def test_a_bucket_that_is_away_keeps_what_came_and_shows_no_secret(tmp_path: Path) -> None:
    store = server(tmp_path, "one", settings("http://127.0.0.1:1"))
    with pytest.raises(EvidenceAway, match="evidence bucket evidence: cannot be used") as caught:
        send(store)
    assert store.received_bytes(SHA256) == len(PICTURE)
    assert "PLANTED" not in str(caught.value)


def test_settings_never_show_their_keys(endpoint: str) -> None:
    shown = settings(endpoint)
    assert "PLANTED" not in repr(shown) + shown.model_dump_json()

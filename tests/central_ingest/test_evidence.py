"""The evidence folder: only whole, right bytes get their name, and broken uploads go on."""

import hashlib
import os
from pathlib import Path

import pytest

from central_ingest.errors import (
    EvidenceBusy,
    EvidenceMismatch,
    EvidenceOutOfStep,
    EvidenceTooLarge,
    NotFound,
)
from central_ingest.evidence import EvidenceStore, Upload

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
SHA = hashlib.sha256(JPEG).hexdigest()
WHOLE = Upload(SHA, "image/jpeg", 0, len(JPEG))


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(tmp_path / "evidence", max_bytes=100_000)


def send(store: EvidenceStore, upload: Upload, body: bytes) -> None:
    with store.receive(upload) as arriving:
        arriving.write(body)
    if arriving.received == upload.total:
        store.finish(upload)


def test_whole_bytes_are_found_by_their_hash(store: EvidenceStore) -> None:
    send(store, WHOLE, JPEG)
    assert store.path(SHA).read_bytes() == JPEG
    assert store.received_bytes(SHA) == 0


def test_a_part_waits_for_the_rest(store: EvidenceStore) -> None:
    send(store, WHOLE, JPEG[:100])
    assert store.received_bytes(SHA) == 100
    with pytest.raises(NotFound):
        store.path(SHA)
    send(store, Upload(SHA, "image/jpeg", 100, len(JPEG)), JPEG[100:])
    assert store.path(SHA).read_bytes() == JPEG


def test_beginning_anew_forgets_a_part(store: EvidenceStore) -> None:
    send(store, WHOLE, b"something else")
    send(store, WHOLE, JPEG)
    assert store.path(SHA).read_bytes() == JPEG


def test_a_gap_is_refused_with_the_byte_that_is_expected(store: EvidenceStore) -> None:
    send(store, WHOLE, JPEG[:100])
    with pytest.raises(EvidenceOutOfStep) as caught:
        send(store, Upload(SHA, "image/jpeg", 200, len(JPEG)), JPEG[200:])
    assert caught.value.received_bytes == 100


def test_two_senders_at_once_are_refused(store: EvidenceStore) -> None:
    with (
        store.receive(WHOLE),
        pytest.raises(EvidenceBusy, match="another connection"),
        store.receive(WHOLE),
    ):
        pass


@pytest.mark.parametrize(
    ("upload", "body", "message"),
    [
        (WHOLE, JPEG[:-1] + b"x", "have the hash"),
        (Upload(SHA, "image/png", 0, len(JPEG)), JPEG, "does not begin as image/png"),
        (Upload(SHA, "text/html", 0, len(JPEG)), JPEG, "type 'text/html' is not taken"),
        (Upload(SHA, "image/jpeg", 0, 10), JPEG, "more than the announced 10 bytes"),
    ],
)
def test_bytes_that_differ_from_their_announcement_are_thrown_away(
    store: EvidenceStore, upload: Upload, body: bytes, message: str
) -> None:
    with pytest.raises(EvidenceMismatch, match=message):
        send(store, upload, body)
    with pytest.raises(NotFound):
        store.path(SHA)


def test_too_much_is_refused_before_a_byte_is_taken(store: EvidenceStore) -> None:
    with pytest.raises(EvidenceTooLarge, match=r"evidence\.max_bytes"):
        send(store, Upload(SHA, "image/jpeg", 0, 100_001), JPEG)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", SHA.upper(), SHA + "0", "g" * 64])
def test_a_name_that_is_no_hash_never_reaches_the_disk(store: EvidenceStore, name: str) -> None:
    with pytest.raises(NotFound, match="no SHA-256"):
        store.path(name)
    with pytest.raises(NotFound, match="no SHA-256"):
        send(store, Upload(name, "image/jpeg", 0, len(JPEG)), JPEG)


def test_uploads_that_nobody_continued_are_dropped(store: EvidenceStore, tmp_path: Path) -> None:
    send(store, WHOLE, JPEG[:100])
    os.utime(tmp_path / "evidence" / "partial" / SHA, (0, 0))
    assert store.drop_stale_partials(3600) == 1
    assert store.received_bytes(SHA) == 0

"""Pictures to a centre that takes them, refuses them, fails or is not there."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract.messages import EvidenceRef
from edge_agent import uploader as uploader_module
from edge_agent.config import Centre
from edge_agent.errors import ConfigError, DeliveryError, DeliveryRefused
from edge_agent.store import Evidence, GivenUp, Store
from edge_agent.uploader import Uploader, try_centre, wait_s
from tests.edge_agent.centre_server import CentreServer

Until = Callable[..., None]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path, 10_000_000) as opened:
        yield opened


@pytest.fixture
def upload(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Uploader]]:
    """Start an uploader that waits for fractions of a second; stopped at the end."""
    for name in ("BACKOFF_FIRST_S", "BACKOFF_LONGEST_S", "BACKOFF_REFUSED_S", "IDLE_S"):
        monkeypatch.setattr(uploader_module, name, 0.05)
    stop = threading.Event()
    started: list[tuple[Uploader, threading.Thread]] = []

    def start(url: str, token: str | None = None) -> Uploader:
        uploader = Uploader(Centre(url=url, token=token), store)
        thread = threading.Thread(target=uploader.run, args=(stop,))
        thread.start()
        started.append((uploader, thread))
        return uploader

    yield start
    stop.set()
    for uploader, thread in started:
        uploader.wake()
        thread.join(timeout=10)
        assert not thread.is_alive()


def keep(store: Store, *contents: bytes) -> list[str]:
    items = []
    for content in contents:
        sha256 = hashlib.sha256(content).hexdigest()
        ref = EvidenceRef(sha256=sha256, kind="still", media_type="image/jpeg", bytes=len(content))
        items.append(Evidence(ref, content))
    store.commit("cam-01", b"", [], items)
    return [item.ref.sha256 for item in items]


Upload = Callable[..., Uploader]


def test_pictures_arrive_under_their_hash_and_leave_the_disk(
    store: Store, centre: CentreServer, upload: Upload, until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("TOKEN", "t0ken")
    names = keep(store, b"one", b"two")
    uploader = upload(centre.url, "${secret:TOKEN}")
    until(lambda: store.counts().pictures == 0, "both are uploaded")
    assert centre.held == {f"/evidence/{names[0]}": b"one", f"/evidence/{names[1]}": b"two"}
    assert centre.headers[0]["authorization"] == "Bearer t0ken"
    assert centre.headers[0]["content-type"] == "image/jpeg"
    assert uploader.uploaded == 2
    assert store.counts().given_up == GivenUp()


@pytest.mark.parametrize("code", [400, 409, 413, 422])
def test_what_the_centre_will_never_take_is_given_up_and_counted(
    store: Store, centre: CentreServer, upload: Upload, until: Until, code: int
) -> None:
    centre.answers = [code]
    keep(store, b"bad", b"good")
    upload(centre.url)
    until(lambda: store.counts().pictures == 0, "both are dealt with")
    assert list(centre.held.values()) == [b"good"]
    assert store.counts().given_up == GivenUp(evidence=1)


@pytest.mark.parametrize("code", [404, 408, 429, 500, 503, 302])
def test_what_fails_now_waits_behind_the_others(
    store: Store, centre: CentreServer, upload: Upload, until: Until, code: int
) -> None:
    centre.answers = [code]
    keep(store, b"first", b"second")
    upload(centre.url)
    until(lambda: store.counts().pictures == 0, "both are uploaded")
    assert list(centre.held.values()) == [b"second", b"first"]
    assert store.counts().given_up == GivenUp()


@pytest.mark.parametrize("code", [401, 403])
def test_a_refused_token_is_said_and_nothing_is_given_up(
    store: Store, centre: CentreServer, upload: Upload, until: Until, code: int
) -> None:
    centre.answers = [code] * 500
    keep(store, b"waits")
    uploader = upload(centre.url)
    until(lambda: "refuses the token" in uploader.trouble, "the trouble")
    centre.answers.clear()
    until(lambda: store.counts().pictures == 0, "it is uploaded after all")
    until(lambda: uploader.trouble == "", "the trouble is over")


def test_a_centre_that_is_not_there_is_named(store: Store, upload: Upload, until: Until) -> None:
    keep(store, b"waits")
    uploader = upload("http://user:hunter2@127.0.0.1:1")
    until(lambda: "not reached" in uploader.trouble, "the trouble")
    assert "127.0.0.1:1" in uploader.trouble
    assert "hunter2" not in uploader.trouble
    assert store.counts().pictures == 1


def test_a_picture_whose_file_is_gone_is_counted(
    store: Store, centre: CentreServer, upload: Upload, until: Until
) -> None:
    keep(store, b"gone")
    waiting = store.next_picture()
    assert waiting is not None
    waiting.path.unlink()
    upload(centre.url)
    until(lambda: store.counts().given_up == GivenUp(evidence=1), "it is counted")


def test_the_centre_is_asked_for_its_health(centre: CentreServer) -> None:
    try_centre(Centre(url=centre.url))
    centre.answers = [503]
    with pytest.raises(DeliveryError, match="answers /healthz with 503"):
        try_centre(Centre(url=centre.url))
    centre.answers = [401]
    with pytest.raises(DeliveryRefused, match="token"):
        try_centre(Centre(url=centre.url))
    with pytest.raises(DeliveryError, match="not reached"):
        try_centre(Centre(url="http://127.0.0.1:1"))


def test_a_token_that_is_not_set_is_named(centre: CentreServer) -> None:
    with pytest.raises(ConfigError, match=r"centre\.token: secret NO_SUCH is not set"):
        try_centre(Centre(url=centre.url, token="${secret:NO_SUCH}"))


def test_a_refused_token_is_tried_rarely() -> None:
    assert 30 <= wait_s(1, DeliveryRefused("")) <= 60
    assert wait_s(1, DeliveryError("")) <= 1

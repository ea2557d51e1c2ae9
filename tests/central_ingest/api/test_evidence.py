"""Evidence over HTTP: whole, in parts, wrong, and logged when read."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from postgres import Postgres

from central_ingest.evidence import EvidenceStore, Upload
from central_ingest.store.access import Role
from central_ingest.store.database import migrate, open_engine, reading, writing
from central_ingest.store.filing import FilingRules, file_report
from central_ingest.store.pictures import readings_of
from contract.messages import IssueReport, encode

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 400
SHA = hashlib.sha256(JPEG).hexdigest()
URL = f"/evidence/{SHA}"
TYPE = {"Content-Type": "image/jpeg"}


def part(first: int, last: int) -> dict[str, str]:
    return TYPE | {"Content-Range": f"bytes {first}-{last}/{len(JPEG)}"}


def test_a_picture_is_taken_once_and_repeats_change_nothing(client: Any) -> None:
    assert client.put(URL, content=JPEG, headers=TYPE).status_code == 201
    assert client.put(URL, content=JPEG, headers=TYPE).status_code == 200
    answer = client.get(URL)
    assert answer.content == JPEG
    assert answer.headers["content-type"] == "image/jpeg"


def test_an_upload_goes_on_where_it_was_cut_off(client: Any) -> None:
    assert client.put(URL, content=JPEG[:1000], headers=part(0, 999)).status_code == 202
    asked = client.head(URL)
    assert (asked.status_code, asked.headers["upload-offset"]) == (404, "1000")
    rest = client.put(URL, content=JPEG[1000:], headers=part(1000, len(JPEG) - 1))
    assert rest.status_code == 201
    assert client.head(URL).status_code == 200


def test_a_gap_is_refused_with_the_byte_that_is_expected(client: Any) -> None:
    client.put(URL, content=JPEG[:1000], headers=part(0, 999))
    answer = client.put(URL, content=JPEG[2000:], headers=part(2000, len(JPEG) - 1))
    assert (answer.status_code, answer.headers["upload-offset"]) == (409, "1000")


@pytest.mark.parametrize(
    ("url", "content", "headers", "status"),
    [
        (URL, JPEG[:-1] + b"x", TYPE, 422),  # other bytes than the name says
        (URL, JPEG, {"Content-Type": "text/html"}, 422),
        (URL, JPEG, {"Content-Type": "image/png"}, 422),  # other bytes than the type says
        ("/evidence/" + "g" * 64, JPEG, TYPE, 404),
        ("/evidence/..%2f..%2fetc%2fpasswd", JPEG, TYPE, 404),
        (URL, JPEG, TYPE | {"Content-Range": "bytes 0-1/x"}, 400),
        (URL, JPEG, TYPE | {"Content-Range": f"bytes 0-10/{len(JPEG)}"}, 400),
        (URL, b"\xff\xd8\xff" * 400_000, TYPE, 413),
    ],
)
def test_wrong_bytes_are_refused_and_never_shown(
    client: Any, url: str, content: bytes, headers: dict[str, str], status: int
) -> None:
    assert client.put(url, content=content, headers=headers).status_code == status
    assert client.get(URL).status_code == 404


def test_reading_is_logged_with_who_and_when(client: Any, centre: Any) -> None:
    client.put(URL, content=JPEG, headers=TYPE)
    client.head(URL)
    centre.clock.pass_(minutes=5)
    client.get(URL)
    with reading(centre.engine) as connection:
        (log,) = readings_of(connection, SHA)
    assert (log.who, log.at, log.sha256) == ("local", centre.clock.now, SHA)


def test_a_case_says_when_its_picture_came_and_when_it_is_gone(
    client: Any, centre: Any, report: Callable[..., IssueReport]
) -> None:
    named = {"sha256": SHA, "kind": "still", "media_type": "image/jpeg", "bytes": len(JPEG)}
    centre.file(report(1, evidence=[named]))

    def state() -> str:
        return str(client.get("/api/cases/1").json()["summary"]["still"]["state"])

    assert state() == "pending"
    client.put(URL, content=JPEG, headers=TYPE)
    assert state() == "present"
    next((centre.folder / "evidence").glob("??/*")).unlink()
    assert client.get(URL).status_code == 404
    assert state() == "lost"
    assert client.put(URL, content=JPEG, headers=TYPE).status_code == 201
    assert state() == "present"


def test_once_agents_are_enrolled_only_they_may_send(client: Any, centre: Any) -> None:
    agent = centre.token("gw-01", Role.AGENT)
    assert client.put(URL, content=JPEG, headers=TYPE).status_code == 401
    assert client.put(URL, content=JPEG, headers=TYPE | agent).status_code == 201
    reader = centre.token("grafana", Role.READER)
    assert client.put(URL, content=JPEG, headers=TYPE | reader).status_code == 403
    assert client.get(URL, headers=agent).status_code == 403
    assert client.head(URL, headers=agent).status_code == 200
    assert client.get(URL, headers=reader).status_code == 200


def test_who_comes_while_the_same_bytes_arrive_is_asked_to_come_again(
    client: Any, centre: Any
) -> None:
    store = EvidenceStore(centre.folder / "evidence", 1_000_000)
    with store.receive(Upload(SHA, "image/jpeg", 0, len(JPEG))):
        answer = client.put(URL, content=JPEG, headers=TYPE)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert client.put(URL, content=JPEG, headers=TYPE).status_code == 201


def test_pictures_are_sent_and_read_while_a_filing_transaction_is_open(
    postgres: Postgres, centre: Any, report: Callable[..., IssueReport]
) -> None:
    url = postgres.new_database()
    filing, asked = open_engine(url), open_engine(f"{url}?options=-c%20lock_timeout%3D1000")
    migrate(filing)
    centre.engine = asked
    with centre.client() as client, writing(filing, "vendor") as connection:
        made = report(1)
        file_report(connection, made, encode(made), FilingRules(), centre.clock())
        assert client.put(URL, content=JPEG, headers=TYPE).status_code == 201
        assert client.get(URL).status_code == 200
    with reading(asked) as connection:
        assert len(readings_of(connection, SHA)) == 1
    filing.dispose()
    asked.dispose()

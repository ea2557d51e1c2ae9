"""Accounts and ACL as Mosquitto reads them; tests/system/test_wire_security.py has it read them."""

import base64
import hashlib
import re
from pathlib import Path, PurePosixPath

from central_ingest.broker_files import Account, acl, mosquitto_conf, password_hash, passwords
from contract import messages
from contract.messages import IssueReport, encode
from contract.pace import AHEAD_OF_RECEIPTS_MAX
from contract.topics import AgentAddress

EXAMPLES = Path(messages.__file__).parent / "examples"

ONE = Account(AgentAddress("bengbu", "gw-01"), "HASH")
TWO = Account(AgentAddress("suzhou", "gw-02"), None)


def test_an_agents_section_names_its_own_topics_only() -> None:
    section = acl([ONE, TWO]).split("\n\n")[1]
    assert section.splitlines() == [
        "user gw-01",
        "topic write gridwatch/1/bengbu/gw-01/health",
        "topic write gridwatch/1/bengbu/gw-01/issue",
        "topic write gridwatch/1/bengbu/gw-01/result",
        "topic write gridwatch/1/bengbu/gw-01/status",
        "topic read gridwatch/1/bengbu/gw-01/command",
        "topic read gridwatch/1/bengbu/gw-01/receipt",
    ]


def test_the_centre_reads_what_agents_write_and_the_other_way_round() -> None:
    lines = acl([]).splitlines()
    assert lines[0] == "user centre"
    assert "topic read gridwatch/1/+/+/issue" in lines
    assert "topic write gridwatch/1/+/+/receipt" in lines
    assert len(lines) == 7


def test_only_accounts_with_a_password_stand_in_the_password_file() -> None:
    assert passwords([ONE, TWO], "CENTRE") == "centre:CENTRE\ngw-01:HASH\n"


def test_a_password_hash_is_salted_and_verifies() -> None:
    first, second = password_hash("secret"), password_hash("secret")
    assert first != second
    _, kind, iterations, salt, digest = first.split("$")
    expected = hashlib.pbkdf2_hmac("sha512", b"secret", base64.b64decode(salt), int(iterations), 64)
    assert (kind, base64.b64decode(digest)) == ("7", expected)


def test_a_queue_holds_what_a_thousand_agents_may_have_ahead_of_their_receipts() -> None:
    text = mosquitto_conf(PurePosixPath("/etc/gw"), PurePosixPath("/var"), "127.0.0.1")
    (bound,) = re.findall(r"^max_queued_bytes (\d+)$", text, re.MULTILINE)
    report = (EXAMPLES / "issue-1.0-raised.json").read_bytes()
    sent = encode(IssueReport.model_validate_json(report))
    assert 1000 * AHEAD_OF_RECEIPTS_MAX * len(sent) < int(bound) < 1_000_000_000


def test_nobody_anonymous_gets_in_and_queues_are_explicit() -> None:
    text = mosquitto_conf(PurePosixPath("/etc/gw"), PurePosixPath("/var"), "127.0.0.1")
    assert "allow_anonymous false" in text
    assert "allow_anonymous true" not in text
    for line in ("max_queued_messages 0", "crlfile /etc/gw/crl.pem", "require_certificate true"):
        assert line in text.splitlines()

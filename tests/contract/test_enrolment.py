"""An enrolment shows its secrets in the file that it is, and nowhere else."""

import json

from pydantic import SecretStr

from contract.enrolment import BrokerAccess, CentreAccess, Enrolment

SECRETS = ("KEY-PEM", "pass-word", "gw_token")
MADE = Enrolment(
    city="bengbu",
    agent_id="gw-01",
    broker=BrokerAccess(
        host="mqtt", port=8883, key=SecretStr("KEY-PEM"), password=SecretStr("pass-word")
    ),
    centre=CentreAccess(url="https://centre", token=SecretStr("gw_token")),
)


def test_the_file_holds_the_secrets_and_is_read_again() -> None:
    text = MADE.to_file()
    assert all(secret in text for secret in SECRETS)
    assert Enrolment.model_validate_json(text) == MADE
    assert json.loads(text)["schema"] == "enrolment/1.0"


def test_what_is_absent_is_left_out() -> None:
    assert set(json.loads(MADE.to_file())["broker"]) == {"host", "port", "key", "password"}


def test_neither_text_nor_dump_shows_a_secret() -> None:
    for shown in (repr(MADE), str(MADE), MADE.model_dump_json(), repr(MADE.model_dump())):
        assert not [secret for secret in SECRETS if secret in shown]

"""The file that the centre gave: read by its owner only, and never shown."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from contract.enrolment import BrokerAccess, CentreAccess, Enrolment
from edge_agent.config import load_agent
from edge_agent.enrolment import enrolled_context, read_enrolment
from edge_agent.errors import ConfigError

AGENT_YAML = """
agent: {city: CITY, id: gw-01}
cameras: [cameras/*.yaml]
model: model
enrolment: gw-01.json
"""


def write(path: Path, mode: int = 0o600) -> Path:
    made = Enrolment(
        city="bengbu",
        agent_id="gw-01",
        broker=BrokerAccess(host="mqtt", port=8884, username="gw-01", password=SecretStr("S3CRET")),
        centre=CentreAccess(url="https://centre", token=SecretStr("gw_S3CRET")),
    )
    path.write_text(made.to_file())
    path.chmod(mode)
    return path


def agent_yaml(folder: Path, city: str = "bengbu") -> Path:
    path = folder / "agent.yaml"
    path.write_text(AGENT_YAML.replace("CITY", city))
    return path


def test_it_gives_broker_and_centre_without_their_secrets(tmp_path: Path) -> None:
    write(tmp_path / "gw-01.json")
    config = load_agent(agent_yaml(tmp_path))
    assert (config.broker.host, config.broker.port) == ("mqtt", 8884)
    assert config.centre.url == "https://centre"
    assert config.broker.enrolment == config.centre.enrolment == tmp_path / "gw-01.json"
    assert "S3CRET" not in config.model_dump_json() + repr(config)


def test_anothers_enrolment_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "gw-01.json")
    with pytest.raises(ConfigError, match=r"is of agent gw-01 in city bengbu, but .* in suzhou"):
        load_agent(agent_yaml(tmp_path, city="suzhou"))


@pytest.mark.parametrize(
    ("content", "mode", "complaint"),
    [
        (None, 0o600, "cannot be read"),
        ("{}", 0o600, "no enrolment of version 1"),
        ('{"schema": "enrolment/1.0", "city": "S3CRET!"}', 0o600, r"\(wrong: .*city"),
        ("S3CRET", 0o600, "no enrolment"),
        ("{}", 0o644, "chmod 600"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_not_shown(
    tmp_path: Path, content: str | None, mode: int, complaint: str
) -> None:
    path = tmp_path / "gw-01.json"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    with pytest.raises(ConfigError, match=complaint) as caught:
        read_enrolment(path)
    assert "S3CRET" not in str(caught.value)


def test_pem_that_is_none_is_an_error_of_its_own() -> None:
    with pytest.raises((OSError, ValueError)):
        enrolled_context(BrokerAccess(host="h", port=1, ca="nonsense"))

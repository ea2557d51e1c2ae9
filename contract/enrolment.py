"""What the centre gives an agent, in one file: where broker and centre are, and its credentials."""

import json
from typing import Any, Literal

from pydantic import Field, SecretStr

from contract.messages import Name, Value


class BrokerAccess(Value):
    """The broker's address, and a client certificate or an account; `ca` switches TLS on.

    Certificates and keys are PEM texts.
    """

    host: str
    port: int = Field(ge=1, le=65535)
    ca: str | None = None
    certificate: str | None = None
    key: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None


class CentreAccess(Value):
    """The centre's address for evidence, and the bearer token."""

    url: str
    token: SecretStr


class Enrolment(Value):
    """One agent's credentials; secrets show in `to_file` only, never in a repr or a dump."""

    schema_: Literal["enrolment/1.0"] = Field(default="enrolment/1.0", alias="schema")
    city: Name
    agent_id: Name
    broker: BrokerAccess
    centre: CentreAccess

    def to_file(self) -> str:
        """Write it with its secrets, as the file that is copied to the gateway."""
        return json.dumps(_revealed(self.model_dump(by_alias=True)), indent=2, ensure_ascii=False)


def _revealed(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: _revealed(inner) for key, inner in value.items() if inner is not None}
    return value

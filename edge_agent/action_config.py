"""The part of the agent's file that names actions on the spot."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from contract.catalogue import Category
from contract.messages import Name, Phase
from edge_agent.yaml_file import Section

Positive = Annotated[float, Field(gt=0)]


class Webhook(Section):
    """An HTTP address that is told of an issue: the report, as JSON, by POST."""

    url: str = Field(min_length=1, description="http(s)://…; may hold ${secret:NAME}")
    token: str | None = Field(None, description="sent as bearer token; as ${secret:NAME}")


class Action(Section):
    """Something done on the spot when an issue is reported, such as a loudspeaker's call (导听)."""

    id: Name = Field(description="name of the action in logs")
    on: tuple[Phase, ...] = Field((Phase.RAISED,), description="the phases that call for it")
    categories: tuple[Category, ...] = Field((), description="empty: every category")
    cameras: tuple[Name, ...] = Field((), description="empty: every camera")
    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        None, description="program and arguments, run without a shell; the report is its input"
    )
    webhook: Webhook | None = Field(None, description="or an address that is told")
    every_s: Positive = Field(60, description="at most once in so long for one camera")
    timeout_s: Positive = Field(10, le=300, description="then it counts as failed")

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if (self.command is None) == (self.webhook is None):
            raise ValueError(f"action {self.id} needs either command or webhook")
        return self

"""One camera's judgement: looks in, placed transitions out; the issue state is kept between."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from edge_agent.config import CameraConfig
from edge_agent.errors import PlaceError
from edge_agent.grid import Components, Grid
from edge_agent.issues import CameraIssues, Policy, Transition, step
from edge_agent.looks import Look
from edge_agent.model import ModelCard
from edge_agent.place import CameraPlace
from edge_agent.reports import Whereabouts


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """The grid and the components of the gateway's district, where they are known."""

    grid: Grid | None = None
    components: Components | None = None

    @classmethod
    def read(cls, grid: Path | None, components: Path | None) -> Self:
        """Read both from GeoJSON files. Raises PlaceError naming file and feature."""
        return cls(
            None if grid is None else Grid.from_geojson(_text(grid), str(grid)),
            None if components is None
            else Components.from_geojson(_text(components), str(components)),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judgement:
    """One change of an issue and where it is."""

    transition: Transition
    where: Whereabouts


class CameraJudge:
    """Judges one camera's looks, in their order; for one thread."""

    def __init__(
        self,
        config: CameraConfig,
        card: ModelCard,
        surroundings: Surroundings,
        state: CameraIssues | None = None,
    ) -> None:
        """Resolve the rules and fit the ground points. Raises ConfigError and PlaceError."""
        thresholds = {name: (t.raise_, t.keep) for name, t in card.thresholds.items()}
        self.policy = Policy.of(config, thresholds)
        self.state = state or CameraIssues(config.camera.id)
        self._place = CameraPlace.of(config.place, config.camera.location)
        self._surroundings = surroundings

    def judge(self, look: Look) -> tuple[Judgement, ...]:
        """Take one look into account; returns what changed."""
        self.state, transitions = step(self.state, look, self.policy)
        return tuple(Judgement(one, self.whereabouts(one)) for one in transitions)

    def whereabouts(self, transition: Transition) -> Whereabouts:
        """Place a transition on the ground, in the grid and at its component."""
        near = self._surroundings
        return Whereabouts.of(transition, self._place, near.grid, near.components)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlaceError(f"{path}: cannot be read ({error})") from None

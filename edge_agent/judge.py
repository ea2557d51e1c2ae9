"""One camera's judgement: looks in, placed transitions out; the issue state is kept between."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from edge_agent.clock import Instant
from edge_agent.config import CameraConfig
from edge_agent.errors import PlaceError
from edge_agent.frames import Picture
from edge_agent.grid import Components, Grid
from edge_agent.issues import CameraIssues, Policy, Transition, step
from edge_agent.looks import Look
from edge_agent.model import ModelCard
from edge_agent.reports import Whereabouts

# Light changes slowly: a picture's brightness is measured this often, and only where it decides.
LUMA_EVERY_S = 10.0
LUMA_SIZE = (32, 18)


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
        self._surroundings = surroundings
        self._luma: tuple[Instant, float] | None = None

    def judge(self, look: Look) -> tuple[Judgement, ...]:
        """Take one look into account; returns what changed."""
        self.state, transitions = step(self.state, self._lit(look), self.policy)
        return tuple(Judgement(one, self.whereabouts(one)) for one in transitions)

    def whereabouts(self, transition: Transition) -> Whereabouts:
        """Place a transition on the ground, in the grid and at its component."""
        near = self._surroundings
        return Whereabouts.of(transition, self.policy.ground, near.grid, near.components)

    def _lit(self, look: Look) -> Look:
        """Measure the brightness where a night policy asks for it."""
        if not self.policy.asks_for_luma(look.at.utc):
            return look
        if self._luma is None or look.at.seconds_since(self._luma[0]) >= LUMA_EVERY_S:
            self._luma = look.at, luma(look.frame.picture)
        return replace(look, luma=self._luma[1])


def luma(picture: Picture) -> float:
    """The picture's mean brightness of 255 (ITU-R BT.601 weights)."""
    red, green, blue = picture.rgb(*LUMA_SIZE).reshape(-1, 3).mean(axis=0).tolist()
    return float(0.299 * red + 0.587 * green + 0.114 * blue)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlaceError(f"{path}: cannot be read ({error})") from None

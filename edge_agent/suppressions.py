"""A person's word that what a camera reports at one place is no issue, until it expires."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contract.catalogue import Category
from edge_agent.zones import Box


@dataclass(frozen=True, slots=True)
class Suppression:
    """Nothing of `category` is raised near `box_xyxyn` until `until`.

    Near is what would be the same place, or what stands within `radius_m` where ground points tell.
    Another category of the family is raised: a cover that was wrongly called damaged may go
    missing later. `box_xyxyn` lies in the picture of `preset_id`, where the camera turns.
    `suppression_id` is the command that asked for it.
    """

    suppression_id: UUID
    camera_id: str
    category: Category
    box_xyxyn: Box
    radius_m: float
    until: datetime
    preset_id: str | None = None

    def holds(self, at_utc: datetime) -> bool:
        """Say whether it is not over yet."""
        return at_utc < self.until

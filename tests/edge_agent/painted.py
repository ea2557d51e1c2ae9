"""A painted street for the health tests: a world of walls and kerbs, seen by a camera in it."""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from edge_agent.frames import ArrayPicture, Rgb

WORLD = (1800, 1200)
SIZE = (480, 270)
NOISE = np.random.default_rng(7).normal(0, 2.0, (SIZE[1], SIZE[0], 3)).astype(np.float32)


def _world(seed: int) -> Rgb:
    rng = np.random.default_rng(seed)
    world = np.full((WORLD[1], WORLD[0], 3), 110, np.uint8)
    for _ in range(1200):
        x, y = rng.integers(0, WORLD[0]), rng.integers(0, WORLD[1])
        corners = np.array([x, y]) + rng.integers(-60, 60, (4, 2))
        grey = int(rng.integers(30, 200))
        colour = (grey, min(255, grey + 12), max(0, grey - 10))
        cv2.fillConvexPoly(world, cv2.convexHull(corners.astype(np.int32)), colour)
    grain = rng.integers(-9, 10, world.shape[:2])[..., None]
    return np.clip(world.astype(np.int16) + grain, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Street:
    """A camera in a painted world, as it stands at one moment."""

    seed: int = 1
    x: float = 900.0
    y: float = 600.0
    rotation_deg: float = 0.0
    zoom: float = 1.0
    gain: float = 1.0
    lift: float = 0.0
    blur_px: float = 0.0
    traffic: int = 6
    lorry: float = 0.0
    world: Rgb = field(default_factory=lambda: _world(1), repr=False, compare=False)

    def but(self, **changes: float) -> "Street":
        """The same street with something changed."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def picture(self, second: float) -> ArrayPicture:
        """What the camera sees at a second: the world, things that drive through, noise."""
        rng = np.random.default_rng(int(second * 1000) + 1)
        width, height = SIZE
        matrix = cv2.getRotationMatrix2D((self.x, self.y), self.rotation_deg, self.zoom)
        matrix[:, 2] += (width / 2 - self.x, height / 2 - self.y)
        shot = cv2.warpAffine(self.world, matrix, SIZE, borderMode=cv2.BORDER_REFLECT)
        for _ in range(self.traffic):
            left, top = int(rng.integers(0, width)), int(rng.integers(height // 2, height))
            grey = int(rng.integers(20, 235))
            cv2.rectangle(shot, (left, top), (left + 45, top + 26), (grey, grey, 40), -1)
        if self.lorry:
            cv2.rectangle(shot, (0, 45), (int(width * self.lorry), height), (150, 160, 170), -1)
        if self.blur_px:
            shot = cv2.GaussianBlur(shot, (0, 0), self.blur_px)
        noise = np.roll(NOISE, tuple(rng.integers(0, SIZE[1], 2)), axis=(0, 1))
        lit = shot.astype(np.float32) * np.float32(self.gain) + np.float32(self.lift) + noise
        return ArrayPicture(np.clip(lit, 0, 255).astype(np.uint8))

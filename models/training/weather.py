"""Make clean pictures look as a street camera gives them: night, rain, glare, blur, noise."""

import cv2
import numpy as np
import numpy.typing as npt

from models.training.detector import Picture

Generator = np.random.Generator


def _to_bytes(picture: npt.NDArray[np.floating]) -> Picture:
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def night(picture: Picture, rng: Generator) -> Picture:
    """Darken, keep lamps bright, add a colour cast."""
    x = picture.astype(np.float32) / 255
    gamma, gain = rng.uniform(1.2, 2.2), rng.uniform(0.45, 0.85)
    cast = np.array([rng.uniform(0.85, 1.15), 1.0, rng.uniform(0.85, 1.15)], np.float32)
    return _to_bytes(255 * gain * x**gamma * cast)


def rain(picture: Picture, rng: Generator) -> Picture:
    """Draw thin slanted streaks and lose some contrast."""
    h, w = picture.shape[:2]
    drops = np.zeros((h, w), np.uint8)
    drops[rng.integers(0, h, 500), rng.integers(0, w, 500)] = 255
    length = int(rng.integers(9, 25))
    kernel = np.zeros((length, length), np.float32)
    cv2.line(kernel, (int(rng.integers(0, length)), 0), (length // 2, length - 1), 1.0)
    streaks = cv2.filter2D(drops, -1, kernel / kernel.sum() * 4).astype(np.float32)[..., None]
    x = picture.astype(np.float32)
    mean = x.mean()
    return _to_bytes((x - mean) * rng.uniform(0.7, 0.95) + mean + streaks * rng.uniform(0.4, 0.8))


def glare(picture: Picture, rng: Generator) -> Picture:
    """Add one bright, soft spot: a low sun or a headlamp."""
    h, w = picture.shape[:2]
    ys, xs = np.mgrid[:h, :w].astype(np.float32)
    cx, cy, radius = rng.uniform(0, w), rng.uniform(0, 0.7 * h), rng.uniform(0.08, 0.35) * w
    spot = np.exp(-((xs - cx) ** 2 + (ys - cy) ** 2) / (2 * radius**2))[..., None]
    return _to_bytes(picture + spot * rng.uniform(50, 130) * np.array([0.9, 1.0, 1.0]))


def haze(picture: Picture, rng: Generator) -> Picture:
    """Pull everything towards a light grey."""
    share = rng.uniform(0.1, 0.35)
    return _to_bytes(picture * (1 - share) + rng.uniform(150, 210) * share)


def soften(picture: Picture, rng: Generator) -> Picture:
    """Blur as a cheap or dirty lens does."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.3)), np.uint8)


def noise(picture: Picture, rng: Generator) -> Picture:
    """Add sensor noise, half of it in colour."""
    h, w = picture.shape[:2]
    level = rng.uniform(2, 9)
    grain = rng.standard_normal((h, w, 1), np.float32) + 0.5 * rng.standard_normal(
        (h, w, 3), np.float32
    )
    return _to_bytes(picture + level * grain)


def sharpen(picture: Picture, rng: Generator) -> Picture:
    """Overshoot at edges, as many cameras do by default."""
    amount = rng.uniform(0.3, 1.0)
    soft = cv2.GaussianBlur(picture, (0, 0), 1.5)
    return np.asarray(cv2.addWeighted(picture, 1 + amount, soft, -amount, 0), np.uint8)


CHANCES = (
    (night, 0.18),
    (rain, 0.12),
    (glare, 0.12),
    (haze, 0.08),
    (soften, 0.2),
    (noise, 0.3),
    (sharpen, 0.15),
)


def any_weather(picture: Picture, rng: Generator) -> Picture:
    """Apply each effect by its chance, in the order light, lens, sensor."""
    for effect, chance in CHANCES:
        if rng.random() < chance:
            picture = effect(picture, rng)
    return picture


def compress(picture: Picture, quality: int) -> bytes:
    """Return the picture as JPEG bytes of the given quality (1..100)."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()

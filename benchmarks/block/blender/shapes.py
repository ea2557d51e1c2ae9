"""Meshes put together from boxes, tubes, lathes and crumpled balls, with a material a face."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from benchmarks.block.blender.materials import material

Points = NDArray[np.float64]
Vector = Sequence[float] | Points


def turned(points: Points, heading: float, pitch: float = 0.0, roll: float = 0.0) -> Points:
    """Turn points [N, 3] about x by `roll`, y by `pitch`, then z by `heading`, radians."""
    cr, sr = math.cos(roll), math.sin(roll)
    cp, sp = math.cos(pitch), math.sin(pitch)
    ch, sh = math.cos(heading), math.sin(heading)
    about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    about_z = np.array([[ch, -sh, 0], [sh, ch, 0], [0, 0, 1]])
    found: Points = points @ (about_z @ about_y @ about_x).T
    return found


@dataclass
class Shape:
    """A mesh that grows; every method adds a part, in metres, in the object's own axes."""

    vertices: list[Points] = field(default_factory=list)
    faces: list[list[int]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    smooth: list[bool] = field(default_factory=list)
    count: int = 0

    def add(self, points: Any, faces: Any, name: str, *, smooth: bool = False) -> None:
        """Add vertices and faces that index into them, all of one material."""
        array = np.asarray(points, np.float64).reshape(-1, 3)
        self.vertices.append(array)
        for face in faces:
            self.faces.append([int(index) + self.count for index in face])
            self.names.append(name)
            self.smooth.append(smooth)
        self.count += len(array)

    def merge(self, other: "Shape", at: Vector = (0, 0, 0), heading: float = 0.0) -> None:
        """Add another shape, turned and moved."""
        points = turned(np.vstack(other.vertices), heading) + np.asarray(at, np.float64)
        self.vertices.append(points)
        self.faces.extend([index + self.count for index in face] for face in other.faces)
        self.names.extend(other.names)
        self.smooth.extend(other.smooth)
        self.count += len(points)

    def box(
        self, size: Vector, at: Vector, name: str, heading: float = 0.0, taper: float = 1.0
    ) -> None:
        """Add a box that stands on `at`; `taper` scales its top."""
        sx, sy, sz = size[0] / 2, size[1] / 2, size[2]
        low = [(-sx, -sy, 0), (sx, -sy, 0), (sx, sy, 0), (-sx, sy, 0)]
        high = [(x * taper, y * taper, sz) for x, y, _ in low]
        points = turned(np.array(low + high, np.float64), heading) + np.asarray(at, np.float64)
        sides = [(0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7), (4, 5, 6, 7), (3, 2, 1, 0)]
        self.add(points, sides, name)

    def quad(self, corners: Sequence[Vector], name: str) -> None:
        """Add one flat face."""
        self.add(corners, [range(len(corners))], name)

    def tube(
        self, ends: Sequence[Vector], radii: Sequence[float], name: str, sides: int = 10
    ) -> None:
        """Add a round bar through the points `ends`, with a radius at each, closed."""
        points, centres = [], [np.asarray(end, np.float64) for end in ends]
        angles = np.linspace(0, 2 * math.pi, sides, endpoint=False)
        along = centres[-1] - centres[0]
        along = along / max(float(np.linalg.norm(along)), 1e-9)
        aside = np.cross(along, (0.0, 0.0, 1.0) if abs(along[2]) < 0.9 else (1.0, 0.0, 0.0))
        aside /= np.linalg.norm(aside)
        other = np.cross(along, aside)
        for centre, radius in zip(centres, radii, strict=True):
            points += [
                centre + radius * (math.cos(a) * aside + math.sin(a) * other) for a in angles
            ]
        self._rings(points, len(centres), sides, name, smooth=True)

    def lathe(
        self, profile: Sequence[tuple[float, float]], at: Vector, name: str, sides: int = 24
    ) -> None:
        """Turn a profile of (radius, height) about the vertical."""
        angles = np.linspace(0, 2 * math.pi, sides, endpoint=False)
        points = [
            (at[0] + r * math.cos(a), at[1] + r * math.sin(a), at[2] + z)
            for r, z in profile
            for a in angles
        ]
        self._rings(points, len(profile), sides, name, smooth=True)

    def loft(
        self,
        rings: Sequence[Sequence[Vector]],
        paint: Callable[[int, int], str],
        *,
        smooth: bool = True,
    ) -> None:
        """Join rings of equal length; `paint(ring, side)` names each face's material."""
        sides = len(rings[0])
        points = [point for ring in rings for point in ring]
        for ring in range(len(rings) - 1):
            for side in range(sides):
                a, b = ring * sides + side, ring * sides + (side + 1) % sides
                face = (a, b, b + sides, a + sides)
                self._later(face, paint(ring, side), smooth=smooth)
        self._later(range(sides)[::-1], paint(0, 0), smooth=False)
        last = (len(rings) - 1) * sides
        self._later(range(last, last + sides), paint(len(rings) - 2, 0), smooth=False)
        self.vertices.append(np.asarray(points, np.float64))
        self.count += len(points)

    def ball(
        self, radii: Vector, at: Vector, name: str, *, crumple: float = 0.0, seed: int = 0,
        detail: int = 12,
    ) -> None:  # fmt: skip
        """Add an ellipsoid, crumpled by `crumple` of its size."""
        rows, sides = detail, detail * 2
        polar = np.linspace(0.02, math.pi - 0.02, rows)
        turn = np.linspace(0, 2 * math.pi, sides, endpoint=False)
        unit = np.array(
            [
                (math.sin(p) * math.cos(t), math.sin(p) * math.sin(t), -math.cos(p))
                for p in polar
                for t in turn
            ]
        )
        if crumple:
            unit = unit * (1 + crumple * ripples(unit, seed))[:, None]
        self._rings(unit * np.asarray(radii) + np.asarray(at), rows, sides, name, smooth=True)

    def _rings(self, points: Any, rings: int, sides: int, name: str, *, smooth: bool) -> None:
        faces = [
            (
                r * sides + s,
                r * sides + (s + 1) % sides,
                (r + 1) * sides + (s + 1) % sides,
                (r + 1) * sides + s,
            )
            for r in range(rings - 1)
            for s in range(sides)
        ]
        self.add(points, faces, name, smooth=smooth)
        first = self.count - rings * sides
        self.faces += [[first + s for s in range(sides)][::-1]]
        self.faces += [[first + (rings - 1) * sides + s for s in range(sides)]]
        self.names += [name, name]
        self.smooth += [False, False]

    def _later(self, face: Any, name: str, *, smooth: bool) -> None:
        self.faces.append([int(index) + self.count for index in face])
        self.names.append(name)
        self.smooth.append(smooth)

    def build(self, name: str) -> Any:
        """Make it a mesh of Blender."""
        mesh = bpy.data.meshes.new(name)
        slots = sorted(set(self.names))
        for slot in slots:
            mesh.materials.append(material(slot))
        mesh.from_pydata(np.vstack(self.vertices).tolist(), [], self.faces)
        index = {slot: number for number, slot in enumerate(slots)}
        mesh.polygons.foreach_set("material_index", [index[one] for one in self.names])
        mesh.polygons.foreach_set("use_smooth", self.smooth)
        mesh.update()
        return mesh


def ripples(unit: Points, seed: int) -> NDArray[np.float64]:
    """Noise over the unit sphere [N], about -1 to 1: waves in many directions, folded."""
    rng = np.random.default_rng(seed)
    total = np.zeros(len(unit))
    for octave, weight in ((2.5, 0.45), (5.0, 0.35), (11.0, 0.2)):
        for _ in range(4):
            direction = rng.normal(size=3) * octave
            total += weight / 2 * (1 - 2 * np.abs(np.sin(unit @ direction + rng.uniform(0, 6.28))))
    return total

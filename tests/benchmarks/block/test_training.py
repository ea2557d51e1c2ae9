from pathlib import Path

import pytest

from benchmarks.block.actors import sprites
from benchmarks.block.geometry import Camera
from benchmarks.block.script import SCRIPT, Day, load_day
from benchmarks.block.statics import state_of, statics
from benchmarks.block.things import Placed
from benchmarks.block.training import (
    CLASSES,
    PER_STREET,
    Picture,
    labels,
    pictures,
    write_labels,
)
from edge_agent.model import default_folder, load_card

COUNT = 24
SCRIPTS = sorted(SCRIPT.parent.glob("*.yaml"))  # the demo's day, and every other one


@pytest.fixture(scope="module")
def found(day: Day) -> list[Picture]:
    return list(pictures(day, COUNT, 1))


def test_the_same_seed_draws_the_same_pictures_and_another_seed_others(
    day: Day, found: list[Picture]
) -> None:
    assert list(pictures(day, COUNT, 1)) == found
    assert next(iter(pictures(day, COUNT, 2))).head != found[0].head


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_no_world_camera_or_asset_variant_is_shared_with_a_clip(
    script: Path, found: list[Picture]
) -> None:
    day = load_day(script)
    clips = {placed.asset for placed in statics(day)}
    for cover in day.covers.values():
        clips |= {placed.asset for placed in state_of(day, cover, "broken")}
    for hour in day.hours.values():
        clips |= {placed.asset for parts in sprites(day, hour) for placed in parts}
    cameras = {(c.at, c.heading_deg, c.down_deg, c.focal_px) for c in day.cameras.values()}
    for picture in found:
        used = {item["asset"] for item in picture.head["statics"]} | {
            p.asset for p in picture.items
        }
        assert not used & clips
        camera = picture.head["camera"]
        assert picture.head["world"]["seed"] != day.world.seed
        assert (
            tuple(camera["at"]),
            camera["heading_deg"],
            camera["down_deg"],
            camera["focal_px"],
        ) not in cameras


def test_every_class_is_drawn_and_every_label_lies_in_its_picture(found: list[Picture]) -> None:
    seen = set()
    for picture in found:
        for label in picture.labels:
            number, *box = label.split()
            x, y, w, h = map(float, box)
            seen.add(CLASSES[int(number)])
            assert -1e-4 <= x - w / 2 <= x + w / 2 <= 1 + 1e-4
            assert -1e-4 <= y - h / 2 <= y + h / 2 <= 1 + 1e-4
    assert seen == set(CLASSES)


def test_the_classes_are_those_of_the_shipped_card() -> None:
    assert tuple(load_card(default_folder()).classes) == CLASSES


def test_pictures_of_one_street_follow_each_other(found: list[Picture]) -> None:
    heads = [picture.head for picture in found]
    assert all(heads[n] == heads[n - n % PER_STREET] for n in range(COUNT))


def test_labels_are_written_in_yolo_s_layout(found: list[Picture], tmp_path: Path) -> None:
    write_labels(found, tmp_path)
    files = sorted((tmp_path / "labels" / "train").glob("*.txt"))
    assert [file.stem for file in files] == [picture.name for picture in found]
    assert "8: vehicle" in (tmp_path / "data.yaml").read_text()


def test_what_stands_on_a_cover_hides_it_though_its_middle_is_farther() -> None:
    camera = Camera(
        at=(0.0, -5.0, 5.0), heading_deg=30.0, down_deg=20.0, focal_px=500.0, width=640, height=360
    )
    cover = Placed("patch:1.3:0.4:#b0a99c", (10.0, 0.0, 0.0), 0.0)
    van, bin_ = (
        Placed("car:van:#b0b4b8", (11.2, 0.6, 0.0), 0.0),
        Placed("bin:#3a8a50:1000:ok", (20.0, 3.0, 0.0), 0.0),
    )
    assert not list(labels(camera, [(cover, "manhole_ok")], (van,)))
    assert len(list(labels(camera, [(cover, "manhole_ok")], (bin_,)))) == 1


@pytest.mark.parametrize(
    ("cart", "height_m", "away_m", "count"),
    [
        ("cart:1001", 5.0, 9.0, 1),  # too low to hide it
        ("cart:1001:#1f7a4a+#f0ead8", 5.0, 9.0, 0),  # the sunshade stands in the line of sight
        ("cart:1001:#1f7a4a+#f0ead8", 5.0, 6.0, 1),  # which runs above the sunshade here
        ("cart:1001:#1f7a4a+#f0ead8", 1.8, 6.0, 1),  # and between it and the cart here
    ],
)
def test_a_sunshade_hides_what_is_behind_it_and_the_air_below_it_nothing(
    cart: str, height_m: float, away_m: float, count: int
) -> None:
    camera = Camera(
        at=(0.0, 0.0, height_m),
        heading_deg=0.0,
        down_deg=15.0,
        focal_px=500.0,
        width=640,
        height=360,
    )
    behind = Placed("bin:#3a8a50:1000:ok", (15.0, 0.0, 0.0), 0.0)
    before = (Placed(cart, (away_m, 0.0, 0.0), 0.0),)
    assert len(list(labels(camera, [(behind, "garbage_bin")], before))) == count

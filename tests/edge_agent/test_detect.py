"""Pictures become COCO results; a file that is no picture is named, and nothing is written."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.detect import coco_results, detect_images, read_picture
from edge_agent.detections import Detections
from edge_agent.errors import ConfigError
from edge_agent.frames import ArrayPicture, Picture


class OneBox:
    """A detector that finds the same bin in every picture."""

    def detect(self, _picture: Picture) -> Detections:
        box = np.array([[0.25, 0.5, 0.75, 1.0]], np.float32)
        return Detections(box, np.array([0.5], np.float32), np.array([1]))


def picture(path: Path, width: int = 40, height: int = 20) -> Path:
    colour = np.zeros((height, width, 3), np.uint8)
    colour[..., 2] = 255  # red, as OpenCV orders it
    cv2.imwrite(str(path), colour)
    return path


def test_a_picture_is_read_as_rgb(tmp_path: Path) -> None:
    assert read_picture(picture(tmp_path / "a.png")).array[0, 0].tolist() == [255, 0, 0]


def test_a_box_is_written_in_pixels_of_the_original() -> None:
    still = ArrayPicture(np.zeros((100, 200, 3), np.uint8))
    (result,) = coco_results("a.png", still, OneBox().detect(still))
    assert result == {
        "image_id": "a.png",
        "category_id": 1,
        "bbox": [50, 50, 100, 50],
        "score": 0.5,
    }


def test_a_folder_is_taken_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name in ("b.png", "a.webp"):
        picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    out = tmp_path / "out.json"
    assert detect_images([tmp_path], OneBox(), out) == 2
    assert [result["image_id"] for result in json.loads(out.read_text())] == ["a.webp", "b.png"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"noise", "is not a picture"), (b"", "is not a picture"), (None, "cannot be read")],
)
def test_a_file_that_is_no_picture_is_named_and_nothing_is_written(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    bad, out = tmp_path / "bad.png", tmp_path / "out.json"
    if content is not None:
        bad.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"bad.png: {complaint}"):
        detect_images([picture(tmp_path / "good.png"), bad], OneBox(), out)
    assert not out.exists()


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no pictures"):
        detect_images([tmp_path], OneBox(), tmp_path / "out.json")


def test_a_result_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"out.json: cannot be written"):
        detect_images([picture(tmp_path / "a.png")], OneBox(), tmp_path / "none" / "out.json")

"""What the benchmarks' tests share."""

import pytest

from edge_agent.detections import CLASSES
from edge_agent.model import ModelCard


@pytest.fixture
def card() -> ModelCard:
    """A card of a model that does not exist."""
    return ModelCard.model_validate(
        {
            "schema": "card/1.0",
            "name": "tiny",
            "default": True,
            "classes": list(CLASSES),
            "files": [
                {
                    "path": "t.onnx", "sha256": "ab" * 32, "precision": "fp32",
                    "height": 384, "width": 640, "dynamic": True,
                }
            ],
            "input": {
                "layout": "NHWC", "dtype": "uint8", "colour": "RGB", "resize": "letterbox",
                "pad": 114,
            },
            "output": {
                "name": "detections", "shape": ["batch", 300, 6],
                "columns": ["x1", "y1", "x2", "y2", "score", "class"],
            },
            "thresholds": {name: {"raise": 0.5, "keep": 0.3} for name in CLASSES},
            "training": {"recipe": "0", "commit": "0", "data": []},
            "metrics": [],
            "limits": [],
        }
    )  # fmt: skip

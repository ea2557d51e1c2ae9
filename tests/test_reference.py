"""Every key of every YAML file that operators write is explained in the generated reference."""

from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from docs import generate


def test_every_key_is_explained() -> None:
    assert list(generate.unexplained()) == []


@pytest.mark.parametrize("page", ["camera-yaml.md", "agent-yaml.md", "centre-yaml.md"])
def test_a_key_without_a_meaning_is_named(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Inner(BaseModel):
        """A part."""

        told: int = Field(1, description="said")
        untold: int = 2

    class Outer(BaseModel):
        """A whole."""

        part: Inner

    monkeypatch.setitem(generate.PAGES, page, ("A page", Outer))
    (found,) = generate.unexplained()
    assert found.startswith(f"{page}: key `part.untold` is not explained")


def test_the_reference_holds_the_keys_of_all_three_files() -> None:
    folder = Path(generate.__file__).parent / "reference"
    for page, key in (
        ("camera-yaml.md", "rules.*.night"),
        ("agent-yaml.md", "broker.password"),
        ("centre-yaml.md", "cases.calendar.work_hours"),
    ):
        assert f"| `{key}` |" in (folder / page).read_text(encoding="utf-8")

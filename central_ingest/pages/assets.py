"""The third-party scripts and styles of the pages: where they lie, and whether they are there.

They are named by package-lock.json, copied into static/vendor by `build`, and never fetched at run
time. static/vendor/LOCK holds the hash of the lock file they were built from.
"""

import hashlib
from pathlib import Path
from typing import Final

from central_ingest.errors import RefusedToStart

PAGES: Final = Path(__file__).parent
STATIC: Final = PAGES / "static"
VENDOR: Final = STATIC / "vendor"
TEMPLATES: Final = PAGES / "templates"
BUILD_COMMAND: Final = "python -m central_ingest.pages.build"

# Package → what the pages need of it, each copied under vendor/<folder>/.
WANTED: Final[dict[str, tuple[str, ...]]] = {
    "htmx.org": ("dist/htmx.min.js", "LICENSE"),
    "htmx-ext-sse": ("dist/sse.min.js", "LICENSE"),
    "leaflet": ("dist/leaflet.js", "dist/leaflet.css", "dist/images", "LICENSE"),
    "swagger-ui-dist": ("swagger-ui-bundle.js", "swagger-ui.css", "LICENSE", "NOTICE"),
}


def lock_hash(pages: Path = PAGES) -> str:
    """Hash the lock file: what static/vendor must have been built from."""
    return hashlib.sha256((pages / "package-lock.json").read_bytes()).hexdigest()


def built_hash(vendor: Path = VENDOR) -> str | None:
    """Hash of the lock file that static/vendor was built from; None when it was not built."""
    mark = vendor / "LOCK"
    return mark.read_text(encoding="ascii").strip() if mark.is_file() else None


def require_assets(pages: Path = PAGES) -> None:
    """Return only when static/vendor fits the lock file.

    Raises RefusedToStart with the command to run; called once, at start-up.
    """
    vendor = pages / "static" / "vendor"
    built = built_hash(vendor)
    if built == lock_hash(pages):
        return
    found = "is missing" if built is None else "was built from another package-lock.json"
    raise RefusedToStart(f"{vendor} {found}: run `{BUILD_COMMAND}` once, then start again")


def version_tag(pages: Path = PAGES) -> str:
    """Short tag of all own and third-party assets, put behind their addresses.

    Browsers may so keep them for a year, and still load new ones at once.
    """
    digest = hashlib.sha256(lock_hash(pages).encode())
    for path in sorted((pages / "static").glob("*.*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]

"""Evidence in an S3-compatible bucket, so that several servers share it.

Objects are named `ab/abcdef…` as in a folder, below `prefix`, and written whole. What people ask
for is fetched into a bounded folder of this server first, its hash checked, for browsers ask for
clips piece by piece. The only home of obstore; its failures become EvidenceAway here.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from central_ingest.config import S3Settings
from central_ingest.errors import EvidenceAway, NotFound

if TYPE_CHECKING:  # a type that obstore does not bring at run time
    from obstore.store import S3Config

TIMEOUT = timedelta(seconds=30)
CONNECT_TIMEOUT = timedelta(seconds=5)
RETRY_WITHIN = timedelta(seconds=20)
# What was fetched a moment ago is being sent to somebody, and stays however full the folder is.
STAYS_S = 120.0


class S3Shelf:
    """A bucket as an evidence shelf, with a folder of recently fetched objects."""

    def __init__(self, settings: S3Settings, cache: Path) -> None:
        self._shown = f"evidence bucket {settings.bucket}"
        self._cache = cache
        self._cache_bytes = settings.cache_bytes
        self._prefix = settings.prefix
        cache.mkdir(parents=True, exist_ok=True)
        config: S3Config = {"region": settings.region}
        if settings.access_key_id and settings.secret_access_key:
            config["access_key_id"] = settings.access_key_id.get_secret_value()
            config["secret_access_key"] = settings.secret_access_key.get_secret_value()
        if settings.endpoint:
            config["endpoint"] = settings.endpoint
        with self._translated():
            self._store = S3Store(
                settings.bucket,
                config=config,
                client_options={
                    "timeout": TIMEOUT,
                    "connect_timeout": CONNECT_TIMEOUT,
                    "allow_http": (settings.endpoint or "").startswith("http://"),
                },
                retry_config={"max_retries": 3, "retry_timeout": RETRY_WITHIN},
            )

    def holds(self, sha256: str) -> bool:
        """Whether the bucket has it. Raises EvidenceAway."""
        with self._translated():
            try:
                obstore.head(self._store, self._key(sha256))
            except FileNotFoundError:
                return False
        return True

    def keep(self, sha256: str, source: Path, media_type: str) -> None:
        """Upload a verified file and remove it here. Raises EvidenceAway; it stays then."""
        with self._translated():
            attributes = {"Content-Type": media_type}
            obstore.put(self._store, self._key(sha256), source, attributes=attributes)
        source.unlink(missing_ok=True)

    def fetch(self, sha256: str) -> Path:
        """The bytes as a file of this server. Raises NotFound, EvidenceAway."""
        path = self._cache / sha256
        if path.is_file():
            os.utime(path)
            return path
        with self._translated():
            try:
                self._download(sha256, path)
            except FileNotFoundError as error:
                raise NotFound(f"evidence {sha256} is not here") from error
        self._make_room()
        return path

    def _download(self, sha256: str, path: Path) -> None:
        digest = hashlib.sha256()
        with tempfile.NamedTemporaryFile(dir=self._cache, delete=False) as partial:
            try:
                for chunk in obstore.get(self._store, self._key(sha256)).stream():
                    data = bytes(chunk)
                    digest.update(data)
                    partial.write(data)
                if digest.hexdigest() != sha256:
                    raise NotFound(
                        f"{self._shown}: the object of evidence {sha256} has the hash "
                        f"{digest.hexdigest()}: somebody changed it, so it is not shown"
                    )
                Path(partial.name).replace(path)
            finally:
                Path(partial.name).unlink(missing_ok=True)

    def _make_room(self) -> None:
        """Remove what nobody asked for longest, until the folder is within its bound."""
        found = sorted((file.stat().st_mtime, file) for file in self._cache.iterdir())
        used = sum(file.stat().st_size for _, file in found)
        for asked_at, file in found:
            if used <= self._cache_bytes or time.time() - asked_at < STAYS_S:
                return
            used -= file.stat().st_size
            file.unlink(missing_ok=True)

    def _key(self, sha256: str) -> str:
        return f"{self._prefix}{sha256[:2]}/{sha256}"

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except BaseError as error:
            # Its first line says what happened; what follows may repeat the signed request.
            said = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise EvidenceAway(f"{self._shown}: cannot be used now ({said})") from None

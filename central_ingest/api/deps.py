"""What every route and page is given by the composition root."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import Request

from central_ingest.clock import Now
from central_ingest.config import HttpSettings
from central_ingest.evidence import EvidenceStore
from central_ingest.store.access import Actor
from central_ingest.store.database import Engine
from central_ingest.store.filing import FilingRules


@dataclass(frozen=True, slots=True)
class Deps:
    """Handed to `install(app, deps)` of the pages and to each router.

    `actor(request)` names who asks; it raises NotAuthenticated where users are configured and
    nobody is logged in (pages answer with a redirect to /login), and is `local` on an open
    loopback centre. Reading: `with deps.engine.connect() as connection: queries.list_cases(...)`.
    Writing: `with database.writing(deps.engine) as connection: queries.decide(...)`.
    `filing` says how duplicates are found and new cases numbered, for splits.
    `stopping` is set when the server ends; long answers must end with it.
    """

    engine: Engine
    settings: HttpSettings
    actor: Callable[[Request], Actor]
    now: Now
    evidence: EvidenceStore
    stopping: threading.Event
    filing: FilingRules = field(default_factory=FilingRules)

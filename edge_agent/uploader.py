"""Evidence to the centre: `PUT /evidence/{sha256}`, one at a time, at low priority.

Idempotent: the name is the hash, so a repeat after a lost answer changes nothing. A picture leaves
the disk when the centre holds it, or when the centre says that it never will (then it is counted).
"""

import contextlib
import logging
import os
import ssl
import threading
from enum import Enum
from http import HTTPStatus

import httpx

from edge_agent.addresses import redacted
from edge_agent.backoff import backoff_s
from edge_agent.config import Centre
from edge_agent.enrolment import read_enrolment
from edge_agent.errors import DeliveryError, DeliveryRefused
from edge_agent.store import Store, WaitingPicture
from edge_agent.yaml_file import resolve_secrets

log = logging.getLogger(__name__)

IDLE_S = 1.0
BACKOFF_FIRST_S = 1.0
BACKOFF_LONGEST_S = 60.0
BACKOFF_REFUSED_S = 60.0
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
NICE = 10

# The picture itself is at fault, and sending it again would get the same answer.
NEVER = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.CONFLICT,
    HTTPStatus.GONE,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
NOT_ALLOWED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class Verdict(Enum):
    """What the centre said about one picture."""

    HELD = "held"
    NEVER = "never"
    LATER = "later"


class Uploader:
    """Uploads what waits in the store; `run` is its thread."""

    def __init__(self, centre: Centre, store: Store) -> None:
        self._centre = centre
        self._store = store
        self._shown = f"centre {redacted(centre.url)}"
        self._woken = threading.Event()
        self.trouble = ""
        self.uploaded = 0

    def wake(self) -> None:
        """Tell it that a picture waits, or that it shall stop."""
        self._woken.set()

    def run(self, stop: threading.Event) -> None:
        """Upload until `stop` (call `wake` after setting it)."""
        with contextlib.suppress(OSError):  # Linux gives each thread its own niceness
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        while not stop.is_set():
            with open_client(self._centre) as client:
                self._upload(client, stop)

    def _upload(self, client: httpx.Client, stop: threading.Event) -> None:
        """Upload until `stop`, or until the token was refused: the next client reads it anew."""
        failures = 0
        while not stop.is_set():
            try:
                idle = not self._one(client)
                failures = 0
            except DeliveryError as error:
                failures += 1
                self._say(str(error))
                stop.wait(wait_s(failures, error))
                if isinstance(error, DeliveryRefused):
                    return
                continue
            if idle:
                self._woken.wait(IDLE_S)
                self._woken.clear()

    def _one(self, client: httpx.Client) -> bool:
        """Upload one picture; return whether there was one. Raises DeliveryError to be retried."""
        picture = self._store.next_picture()
        if picture is None:
            return False
        try:
            data = picture.path.read_bytes()
        except OSError:
            self._store.give_up_picture(picture.sha256)
            return True
        verdict, answer = self._put(client, picture, data)
        if verdict is Verdict.HELD:
            self._store.uploaded(picture.sha256)
            self.uploaded += 1
            self._say("")
        elif verdict is Verdict.NEVER:
            self._store.give_up_picture(picture.sha256)
            log.warning("%s never takes picture %s: %s", self._shown, picture.sha256, answer)
        else:
            self._store.postpone_picture(picture.sha256)
            raise DeliveryError(f"{self._shown}: does not take pictures now ({answer})")
        return True

    def _put(
        self, client: httpx.Client, picture: WaitingPicture, data: bytes
    ) -> tuple[Verdict, str]:
        """Send a picture. Raises DeliveryError when the centre cannot be reached or refuses us."""
        headers = {"content-type": picture.media_type}
        try:
            response = client.put(f"/evidence/{picture.sha256}", content=data, headers=headers)
        except httpx.HTTPError as error:
            raise DeliveryError(f"{self._shown}: not reached ({_words(error)})") from None
        answer = f"{response.status_code} {response.reason_phrase}"
        if response.status_code in NOT_ALLOWED:
            raise DeliveryRefused(
                f"{self._shown}: refuses the token ({answer}); check centre.token"
            )
        if response.is_success:
            return Verdict.HELD, answer
        return (Verdict.NEVER if response.status_code in NEVER else Verdict.LATER), answer

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            log.log(
                logging.WARNING if trouble else logging.INFO,
                "%s",
                trouble or f"{self._shown}: takes pictures again",
            )


def open_client(centre: Centre) -> httpx.Client:
    """Open a client with the token of the file. Raises ConfigError when its secret is not set.

    Proxies of the environment are not used: the centre lies in the operator's own network.
    """
    headers = {}
    if centre.enrolment is not None:
        token = read_enrolment(centre.enrolment).centre.token
        headers["authorization"] = f"Bearer {token.get_secret_value()}"
    elif centre.token is not None:
        headers["authorization"] = f"Bearer {resolve_secrets(centre.token, 'centre.token')}"
    return httpx.Client(
        base_url=centre.url,
        headers=headers,
        timeout=TIMEOUT,
        trust_env=False,
        verify=ssl.create_default_context(),
    )


def try_centre(centre: Centre) -> None:
    """Ask the centre for its health. Raises DeliveryError."""
    shown = f"centre {redacted(centre.url)}"
    with open_client(centre) as client:
        try:
            response = client.get("/healthz")
        except httpx.HTTPError as error:
            raise DeliveryError(f"{shown}: not reached ({_words(error)})") from None
    if response.status_code in NOT_ALLOWED:
        raise DeliveryRefused(f"{shown}: refuses the token; check centre.token")
    if not response.is_success:
        raise DeliveryError(f"{shown}: answers /healthz with {response.status_code}")


def wait_s(failures: int, error: DeliveryError) -> float:
    """Return how long to wait after the n-th failure in a row."""
    if isinstance(error, DeliveryRefused):
        return backoff_s(1, BACKOFF_REFUSED_S, BACKOFF_REFUSED_S)
    return backoff_s(failures, BACKOFF_FIRST_S, BACKOFF_LONGEST_S)


def _words(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__

"""Ed25519 signatures of model cards: a card holds its files' hashes, so it vouches for them."""

import base64
import binascii
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from edge_agent.errors import ModelError
from edge_agent.model import CARD_NAME

SIGNATURE_NAME = f"{CARD_NAME}.sig"

# Ours; `models/gridwatch.pub` is the same key as a PEM file.
GRIDWATCH_KEY = "MCowBQYDK2VwAyEAUv+d/CilI4H/sf+CiCnKGxjXZwsKO7zHkZJySErVSi8="


def check_signature(folder: Path, own_keys: Iterable[Path]) -> None:
    """Check that a model's card was signed by us or by the owner of one of `own_keys` (PEM).

    Raises ModelError for a card without signature, one that was changed, or a key of another
    kind.
    """
    keys = [_trusted(), *(_read_key(path) for path in own_keys)]
    card, path = folder / CARD_NAME, folder / SIGNATURE_NAME
    try:
        signature, body = (
            base64.b64decode(path.read_text("ascii"), validate=False),
            card.read_bytes(),
        )
    except (OSError, ValueError, binascii.Error):
        raise ModelError(
            f"model {folder}: {SIGNATURE_NAME} is missing or unreadable; take a signed model, or "
            "sign your own: see models/README.md"
        ) from None
    if not any(_verifies(key, signature, body) for key in keys):
        raise ModelError(
            f"model {folder}: its card was changed, or was signed by nobody that this agent "
            "trusts; name the signer's public key under model_keys, or take the model anew"
        )


def _trusted() -> Ed25519PublicKey:
    key = load_der_public_key(base64.b64decode(GRIDWATCH_KEY))
    if not isinstance(key, Ed25519PublicKey):
        raise TypeError("GRIDWATCH_KEY is no Ed25519 key")
    return key


def _read_key(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise ModelError(f"model key {path}: cannot be read ({error.strerror})") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ModelError(f"model key {path}: is no public key in PEM form") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ModelError(f"model key {path}: an Ed25519 public key was expected")
    return key


def _verifies(key: Ed25519PublicKey, signature: bytes, body: bytes) -> bool:
    try:
        key.verify(signature, body)
    except InvalidSignature:
        return False
    return True

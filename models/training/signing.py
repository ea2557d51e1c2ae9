"""Ed25519 signatures of model cards: the card holds the files' hashes, so it vouches for them."""

import base64
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from models.training.errors import DataError

SIGNATURE_SUFFIX = ".sig"
_REMEDY = "name the key that signed the models there, or another folder with --models"


def read_or_make_key(path: Path, public: Path) -> Ed25519PrivateKey:
    """Return the private key at ``path`` whose public half is ``public``; make what is not there.

    Raises DataError where ``public`` is another key's: what was signed by that one would no longer
    verify.
    """
    if not path.is_file() and public.is_file():
        raise DataError(f"there is no key at {path}, and {public} is another one's: {_REMEDY}")
    key = _read(path) if path.is_file() else _made(path)
    own = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if public.is_file() and public.read_bytes() != own:
        raise DataError(f"{public} is not the public half of {path}: {_REMEDY}")
    public.parent.mkdir(parents=True, exist_ok=True)
    public.write_bytes(own)
    return key


def _made(path: Path) -> Ed25519PrivateKey:
    path.parent.mkdir(parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key


def _read(path: Path) -> Ed25519PrivateKey:
    found = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(found, Ed25519PrivateKey):
        raise DataError(f"{path} is no Ed25519 private key")
    return found


def sign(card: Path, key: Ed25519PrivateKey) -> Path:
    """Write the base64 signature of the card's bytes beside it, as ``card.yaml.sig``."""
    path = card.with_name(card.name + SIGNATURE_SUFFIX)
    path.write_text(base64.b64encode(key.sign(card.read_bytes())).decode() + "\n", "ascii")
    return path


def is_signed(card: Path, public: Path) -> bool:
    """Return whether ``card.yaml.sig`` holds a signature of the card by the public key's owner."""
    key = load_pem_public_key(public.read_bytes())
    signature = card.with_name(card.name + SIGNATURE_SUFFIX)
    if not isinstance(key, Ed25519PublicKey) or not signature.is_file():
        return False
    try:
        key.verify(base64.b64decode(signature.read_text("ascii")), card.read_bytes())
    except InvalidSignature:
        return False
    return True

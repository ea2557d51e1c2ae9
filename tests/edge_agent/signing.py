"""Signs a model folder's card, as its owner would."""

import base64
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def sign(folder: Path) -> Path:
    """Sign the folder's `card.yaml`, and return the signer's public key beside it."""
    key = Ed25519PrivateKey.generate()
    signature = base64.b64encode(key.sign((folder / "card.yaml").read_bytes())).decode()
    (folder / "card.yaml.sig").write_text(signature + "\n")
    public = folder / "signer.pub"
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return public

"""A model is run only when its card was signed by somebody this agent trusts."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge_agent.errors import ModelError
from edge_agent.signature import GRIDWATCH_KEY, check_signature
from tests.edge_agent.signing import sign

MODELS = Path(__file__).parents[2] / "models"


def signed(folder: Path) -> Path:
    """Make a card with its signature, and return the signer's public key."""
    (folder / "card.yaml").write_text("name: mine\n")
    return sign(folder)


def test_a_model_signed_with_a_named_key_is_trusted(tmp_path: Path) -> None:
    check_signature(tmp_path, [signed(tmp_path)])


def test_a_signer_whom_nobody_named_is_refused(tmp_path: Path) -> None:
    signed(tmp_path)
    with pytest.raises(ModelError, match="signed by nobody that this agent trusts"):
        check_signature(tmp_path, [])


def test_a_card_that_was_changed_is_refused(tmp_path: Path) -> None:
    public = signed(tmp_path)
    (tmp_path / "card.yaml").write_text("name: yours\n")
    with pytest.raises(ModelError, match="its card was changed"):
        check_signature(tmp_path, [public])


@pytest.mark.parametrize("content", [None, "", "not base64 at all\n", "ü"])
def test_a_missing_or_broken_signature_is_refused(tmp_path: Path, content: str | None) -> None:
    public = signed(tmp_path)
    if content is None:
        (tmp_path / "card.yaml.sig").unlink()
    else:
        (tmp_path / "card.yaml.sig").write_text(content)
    with pytest.raises(ModelError, match=r"card.yaml.sig is missing|signed by nobody"):
        check_signature(tmp_path, [public])


def test_a_key_that_is_no_key_or_another_kind_is_named(tmp_path: Path) -> None:
    signed(tmp_path)
    bad = tmp_path / "bad.pub"
    for content, complaint in (
        (b"noise", "no public key in PEM form"),
        (
            generate_private_key(SECP256R1())
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "an Ed25519 public key was expected",
        ),
    ):
        bad.write_bytes(content)
        with pytest.raises(ModelError, match=rf"bad.pub: .*{complaint}"):
            check_signature(tmp_path, [bad])


def test_every_shipped_model_is_signed_with_the_built_in_key() -> None:
    assert GRIDWATCH_KEY in (MODELS / "gridwatch.pub").read_text()
    cards = list(MODELS.glob("*/card.yaml"))
    assert cards
    for card in cards:
        check_signature(card.parent, [])

"""What Mosquitto reads: who may connect, and which topics each account may touch. Pure texts.

An agent's account writes its own `status health issue result` and reads its own `receipt command`;
the centre's account reads and writes the other way round, of every agent. Nobody may do more:
Mosquitto denies what an ACL file does not name.
"""

import base64
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from contract.topics import AGENT_WRITES, CENTRE_WRITES, AgentAddress, Leaf, subscription

CENTRE_ACCOUNT = "centre"
CERTIFICATE_PORT, PASSWORD_PORT, LOCAL_PORT = 8883, 8884, 1883
# What the broker keeps for one client that is away, an ingest worker say. Agents offer again what
# has no receipt, so what is dropped beyond this comes later, while a queue without a bound would
# end the broker. A thousand agents fill it, each with all that it may have ahead of its receipts:
# 150 reports of 1.7 kB.
QUEUED_BYTES_MAX = 256_000_000
# Passwords are random and long; stretching them would only cost the broker time.
_ITERATIONS = 1000


@dataclass(frozen=True, slots=True)
class Account:
    """An agent on the broker; `password_hash` is absent where a certificate proves it."""

    address: AgentAddress
    password_hash: str | None


def acl(accounts: Iterable[Account]) -> str:
    """The ACL file: the centre's account, then one section an agent."""
    lines = [f"user {CENTRE_ACCOUNT}"]
    lines += [f"topic read {subscription(leaf)}" for leaf in _sorted(AGENT_WRITES)]
    lines += [f"topic write {subscription(leaf)}" for leaf in _sorted(CENTRE_WRITES)]
    for account in accounts:
        topic = account.address.topic
        lines += ["", f"user {account.address.agent_id}"]
        lines += [f"topic write {topic(leaf)}" for leaf in _sorted(AGENT_WRITES)]
        lines += [f"topic read {topic(leaf)}" for leaf in _sorted(CENTRE_WRITES)]
    return "\n".join(lines) + "\n"


def passwords(accounts: Iterable[Account], centre_hash: str) -> str:
    """The password file: hashes only."""
    lines = [f"{CENTRE_ACCOUNT}:{centre_hash}"]
    lines += [
        f"{account.address.agent_id}:{account.password_hash}"
        for account in accounts
        if account.password_hash is not None
    ]
    return "\n".join(lines) + "\n"


def password_hash(password: str) -> str:
    """Mosquitto's hash of a password: PBKDF2 with SHA-512, `$7$iterations$salt$hash`."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS, 64)
    salt_text, digest_text = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"$7${_ITERATIONS}${salt_text}${digest_text}"


def mosquitto_conf(folder: PurePosixPath, state: PurePosixPath, local_address: str) -> str:
    """Mosquitto's configuration; `folder` and `state` as Mosquitto sees them.

    The client id is the account, so that nobody can push another agent off the broker or take its
    session over; the centre's workers share an account and therefore have a listener of their own.
    """
    tls = f"cafile {folder}/ca.pem\ncertfile {folder}/server.pem\nkeyfile {folder}/server.key\n"
    return (
        "# Written by central-ingest broker; queue limits are explicit, for the defaults lose.\n"
        "allow_anonymous false\n"
        f"password_file {folder}/passwords\n"
        f"acl_file {folder}/acl\n"
        "persistence true\n"
        f"persistence_location {state}/\n"
        "autosave_interval 60\n"
        "max_queued_messages 0\n"
        f"max_queued_bytes {QUEUED_BYTES_MAX}\n"
        "max_inflight_messages 500\n"
        "max_packet_size 1048576\n"
        "persistent_client_expiration 7d\n"
        f"\n# agents with certificates\nlistener {CERTIFICATE_PORT}\n{tls}"
        f"crlfile {folder}/crl.pem\n"
        "require_certificate true\nuse_identity_as_username true\nuse_username_as_clientid true\n"
        f"\n# agents with passwords\nlistener {PASSWORD_PORT}\n{tls}"
        "use_username_as_clientid true\n"
        f"\n# the centre\nlistener {LOCAL_PORT} {local_address}\n"
    )


def _sorted(leaves: Iterable[Leaf]) -> list[Leaf]:
    return sorted(leaves, key=lambda leaf: leaf.value)

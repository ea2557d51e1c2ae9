"""What the process that reads hands to the one that files, and back: values ↔ bytes. Pure.

Reports in their canonical form travel as what was read of them; whatever else the broker delivers
travels as it came and is read where it is filed. Those few may cost more, and the values that cross
stay a handful.
"""

import msgspec
from msgspec import Struct

from central_ingest.intake import Delivery, Readable, Unreadable, address_of, read, read_report
from central_ingest.reports import Report


class _Read(Struct, frozen=True, gc=False, array_like=True, tag=1):
    """A report that was read."""

    topic: str
    body: bytes
    sha256: str
    report: Report


class _Raw(Struct, frozen=True, gc=False, array_like=True, tag=2):
    """A delivery that is to be read."""

    topic: str
    body: bytes
    properties: dict[str, str]


class Batch(Struct, frozen=True, gc=False):
    """Messages that were taken together; by its `number` they are acknowledged together.

    `passed_over` of them are not among `messages`: their agents pour in too much.
    """

    number: int
    passed_over: int
    messages: list[Readable | Unreadable]


class _Handed(Struct, frozen=True, gc=False, array_like=True):
    """A batch as its bytes tell it."""

    number: int
    passed_over: int
    messages: list[_Read | _Raw]


class _Packed(Struct, frozen=True, gc=False, array_like=True):
    """A batch of messages that were packed one by one, as they came."""

    number: int
    passed_over: int
    messages: list[msgspec.Raw]


class Ready(Struct, frozen=True, gc=False, array_like=True, tag=1):
    """A batch lies where both processes look, in so many bytes."""

    size_bytes: int


class State(Struct, frozen=True, gc=False, array_like=True, tag=2):
    """Whether the broker answers, in a word for people."""

    connected: bool
    detail: str


class Next(Struct, frozen=True, gc=False, array_like=True, tag=3):
    """Hand over a batch, as soon as there is one."""


class Acknowledge(Struct, frozen=True, gc=False, array_like=True, tag=1):
    """These batches are committed: PUBACK them."""

    numbers: tuple[int, ...]


class Forget(Struct, frozen=True, gc=False, array_like=True, tag=4):
    """These batches may be lost: have the broker send again what has no PUBACK."""

    numbers: tuple[int, ...]


class Send(Struct, frozen=True, gc=False, array_like=True, tag=2):
    """Publish these messages, each a topic and a body."""

    messages: tuple[tuple[str, bytes], ...]


_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_handed = msgspec.msgpack.Decoder(_Handed)
_told: msgspec.msgpack.Decoder[Ready | State] = msgspec.msgpack.Decoder(Ready | State)
Asked = Acknowledge | Forget | Send | Next
_asked: msgspec.msgpack.Decoder[Asked] = msgspec.msgpack.Decoder(Asked)


def pack(delivery: Delivery, body_max_bytes: int) -> msgspec.Raw:
    """A delivery, read where that is quick, as a part of a batch's bytes."""
    found = read_report(delivery, body_max_bytes)
    if found is None:
        raw = _Raw(delivery.topic, delivery.body, dict(delivery.properties))
        return msgspec.Raw(_encode(raw))
    report, sha256 = found
    return msgspec.Raw(_encode(_Read(delivery.topic, delivery.body, sha256, report)))


def encode_batch(number: int, passed_over: int, packed: list[msgspec.Raw]) -> bytes:
    """The bytes of a batch, its messages in the order of their coming."""
    return _encode(_Packed(number, passed_over, packed))


def encode(told: Ready | State | Asked) -> bytes:
    """The bytes of what is told or asked."""
    return _encode(told)


def decode_batch(data: memoryview, body_max_bytes: int) -> Batch:
    """The batch of these bytes, its messages ready to be filed. Raises msgspec.DecodeError."""
    handed = _handed.decode(data)
    messages = [
        Readable(Delivery(one.topic, one.body), address_of(one.topic), one.report, one.sha256)
        if isinstance(one, _Read)
        else read(Delivery(one.topic, one.body, one.properties), body_max_bytes)
        for one in handed.messages
    ]
    return Batch(handed.number, handed.passed_over, messages)


def decode_told(data: bytes) -> Ready | State:
    """What the reading process told. Raises msgspec.DecodeError."""
    return _told.decode(data)


def decode_asked(data: bytes) -> Asked:
    """What the reading process is asked to do. Raises msgspec.DecodeError."""
    return _asked.decode(data)

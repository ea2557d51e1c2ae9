"""Everything that can go wrong in the centre.

CentreError
├── ConfigError              a settings file cannot be used
├── RefusedToStart           starting now would be unsafe or would clash
├── StoreError
│   ├── NotFound             there is no such case, user, cell …
│   └── StoreUnavailable     the database cannot be used now; the same step may work later
├── UnreadableMessage        bytes from the broker that are no message of ours
├── ForeignCity              an enrolled agent speaks as one of another city
├── SubscriberStopped        what reads from the broker ended unasked
├── BrokerAway               the broker does not answer, or refuses; the same step may work later
├── MalformedPacket          bytes from the broker that are no MQTT 5
├── ConflictingReport        the same issue and revision came before with another body
├── UnstorableReport         a report that the contract allows and no table can hold
├── StepError
│   ├── IllegalStep          the case's state does not allow this step
│   └── ReasonMissing        this step needs a reason
├── AuthorityError           the files of authority, broker or an enrolment cannot be used
├── GridFileError            a file of cells or components cannot be read or written
├── EvidenceError
│   ├── EvidenceMismatch     bytes differ from their name, size or type
│   ├── EvidenceTooLarge     more bytes than the store accepts
│   ├── EvidenceAway         the bucket cannot be used now; the same step may work later
│   ├── EvidenceBusy         the same evidence is arriving on another connection
│   └── EvidenceOutOfStep    a resumed upload continues at the wrong byte
└── AccessError
    ├── NotAuthenticated     nobody is named, or a name could not be proved
    └── NotAllowed           this person or agent may not do that
"""


class CentreError(Exception):
    """The root of all of the centre's own errors."""


class ConfigError(CentreError):
    """A settings file cannot be used; the message names file, line and the nearest key."""


class RefusedToStart(CentreError):
    """Starting now would be unsafe or would clash; the message holds the line that fixes it."""


class StoreError(CentreError):
    """The database said no."""


class NotFound(StoreError):
    """There is no such row."""


class StoreUnavailable(StoreError):
    """The database cannot be used now; the same step may work later."""


class UnreadableMessage(CentreError):
    """Bytes from the broker that are no message of ours; the message says why."""


class ForeignCity(CentreError):
    """An enrolled agent speaks as one of another city; the message names both."""


class SubscriberStopped(CentreError):
    """What reads from the broker ended although nobody asked it to."""


class BrokerAway(CentreError):
    """The broker does not answer, or refuses the connection; the same step may work later."""


class MalformedPacket(CentreError):
    """Bytes from the broker that are no MQTT 5: the connection cannot go on."""


class ConflictingReport(CentreError):
    """The same issue and revision came before with another body: the first one stands."""


class UnstorableReport(CentreError):
    """A report that the contract allows and no table can hold; the message names the field."""


class StepError(CentreError):
    """A step that a case cannot take."""


class IllegalStep(StepError):
    """The case's state does not allow this step; the message lists the steps that it allows."""


class ReasonMissing(StepError):
    """This step needs a reason."""


class AuthorityError(CentreError):
    """Files of the certificate authority, the broker or an enrolment cannot be read or written."""


class GridFileError(CentreError):
    """A file of cells or components cannot be read or written; the message names it."""


class EvidenceError(CentreError):
    """Evidence that the store does not take."""


class EvidenceMismatch(EvidenceError):
    """The bytes differ from the name, size or type that they came with."""


class EvidenceTooLarge(EvidenceError):
    """More bytes than the store accepts for one piece of evidence."""


class EvidenceAway(EvidenceError):
    """The bucket of evidence cannot be used now; the same step may work later."""


class EvidenceBusy(EvidenceError):
    """The same evidence is arriving on another connection; the same step may work later."""


class EvidenceOutOfStep(EvidenceError):
    """A resumed upload continues at another byte than the one the store waits for."""

    def __init__(self, message: str, received_bytes: int) -> None:
        super().__init__(message)
        self.received_bytes = received_bytes


class AccessError(CentreError):
    """Access was refused."""


class NotAuthenticated(AccessError):
    """Nobody is named, or a name could not be proved."""


class NotAllowed(AccessError):
    """This person or agent may not do that."""

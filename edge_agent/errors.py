"""Everything that can go wrong on a gateway, as one tree.

AgentError
├── ConfigError          a YAML file is missing, unreadable or says something we do not know
├── CameraError          one camera; the others never notice
│   ├── CameraUnreachable    refused, not found, broken off
│   │   └── CameraUnauthorised   user or password refused: needs a person, so it is asked rarely
│   ├── CameraSilent         connected, but no frame within the time limit
│   └── VideoUnreadable      bytes came that no decoder understands
├── ModelError           a model folder, its card, its signature or its network
├── PlaceError           ground points or grid from which no place can be computed
├── StoreError           the agent's own SQLite
├── CommandRefused       the centre asked for what cannot be done here
├── ActionFailed         a webhook or a local program on an issue
└── DeliveryError        the broker or the centre's evidence store
    └── DeliveryRefused      account or token refused: needs a person, so it is tried rarely
"""


class AgentError(Exception):
    """The root: its message says what failed, where, what was expected and what to do."""


class ConfigError(AgentError):
    """A configuration that cannot be used; the message names file and line."""


class CameraError(AgentError):
    """One camera failed; `camera.py` decides whether and when to try again."""


class CameraUnreachable(CameraError):
    """No connection: refused, unknown host, or broken off."""


class CameraUnauthorised(CameraUnreachable):
    """The camera refused user name or password; asking often would lock the account."""


class CameraSilent(CameraError):
    """Connected, but nothing came within the time limit."""


class VideoUnreadable(CameraError):
    """Bytes came that are not video, or that no decoder here understands."""


class ModelError(AgentError):
    """A model folder that is incomplete, was changed, or cannot be run here."""


class PlaceError(AgentError):
    """Ground points or grid data from which no place can be computed."""


class StoreError(AgentError):
    """The agent's own database could not be opened, read or written."""


class DeliveryError(AgentError):
    """The broker or the centre refused or could not be reached."""


class DeliveryRefused(DeliveryError):
    """The broker or the centre refuses this account; a person must look."""


class CommandRefused(AgentError):
    """A command that cannot be carried out; the message is its answer."""


class ActionFailed(AgentError):
    """An action on the spot that did not happen; it is counted and not tried again."""

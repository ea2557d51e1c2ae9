"""The agent on a camera gateway: streams in, issues out."""

__version__ = "0.1.0"

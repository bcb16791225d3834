"""What a caller of the bank's host did wrong."""

from sscard.errors import SscardError

__all__ = ["IssuerError"]


class IssuerError(SscardError):
    """The host cannot do what its operator asks; the message says why. Nothing was booked."""

"""Errors of the Python side: what a caller of the library sees.

Four kinds, never mixed: a card's refusal is a status word on the wire (inside the card a
`Refusal`, see `sscard.cos.refusal`); a caller's mistake is an `SscardError`; lost power is
`PowerLoss`; anything else is a bug and escapes. Imported by every layer; imports nothing.
"""

__all__ = [
    "ActivationError",
    "ImageError",
    "PowerLoss",
    "ProfileError",
    "ScriptError",
    "SscardError",
    "TransportError",
]


class SscardError(Exception):
    """The Python caller is wrong; the message says what to do about it."""


class ImageError(SscardError):
    """The bytes are not a card image this version can run."""


class ProfileError(SscardError):
    """A profile, an overlay or a switch in it is not valid."""


class ScriptError(SscardError):
    """An APDU script cannot be read, or a card did not answer as it expects."""


class TransportError(SscardError):
    """A reader, a socket or a file between us and the card failed."""


class ActivationError(SscardError):
    """An activation was used after its power had gone."""


class PowerLoss(BaseException):
    """The card's power is gone in mid-operation.

    A BaseException, so that no `except Exception` on the way can swallow it: code that
    went on after a tear would write to an EEPROM that has no power.
    """

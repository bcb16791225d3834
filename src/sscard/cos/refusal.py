"""A refusal: the card says no. Ordinary flow inside the card, a status word outside.

Every refusal carries the rule it broke, as a condition in words and the section of the
reference; tracing shows both, the wire shows only the status word.
"""

from typing import NamedTuple

from sscard.iso.sw import SW

__all__ = ["Refusal", "Reply"]


class Refusal(Exception):
    """The command is refused with `sw` because `why` holds, by the section `ref`."""

    def __init__(self, sw: SW, why: str, ref: str) -> None:
        super().__init__(sw, why, ref)
        self.sw = sw
        self.why = why
        self.ref = ref

    def __str__(self) -> str:
        return f"{self.sw}: {self.why} ({self.ref})"


class Reply(NamedTuple):
    """A handler's answer when the status word is not 9000, such as 6283 with an FCI."""

    data: bytes
    sw: SW

"""What `fsck` finds: frozen values, worst first, printable as one line each."""

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Finding", "Report", "Severity"]


class Severity(IntEnum):
    """How bad it is: NOTE is unusual, WARNING costs nothing yet, ERROR breaks the format."""

    NOTE = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    `where` names the page, file or key; `what` says what is wrong with it; `address` is the
    byte of the image it begins at; `ref` the section of the reference that was broken.
    """

    severity: Severity
    where: str
    what: str
    address: int
    ref: str

    def __str__(self) -> str:
        return (
            f"{self.severity.name.lower()}: {self.where} at {self.address:05X}: {self.what}"
            f" ({self.ref})"
        )

    def to_json(self) -> dict[str, object]:
        """Return the finding as plain JSON data."""
        return {
            "severity": self.severity.name.lower(),
            "where": self.where,
            "what": self.what,
            "address": self.address,
            "ref": self.ref,
        }


class Report:
    """Collects findings while the checks run."""

    __slots__ = ("findings",)

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def error(self, where: str, what: str, address: int, ref: str) -> None:
        """Add an ERROR."""
        self.findings.append(Finding(Severity.ERROR, where, what, address, ref))

    def warning(self, where: str, what: str, address: int, ref: str) -> None:
        """Add a WARNING."""
        self.findings.append(Finding(Severity.WARNING, where, what, address, ref))

    def note(self, where: str, what: str, address: int, ref: str) -> None:
        """Add a NOTE."""
        self.findings.append(Finding(Severity.NOTE, where, what, address, ref))

    def sorted(self) -> list[Finding]:
        """Return the findings, the worst first, then by address."""
        return sorted(self.findings, key=lambda found: (-found.severity, found.address))

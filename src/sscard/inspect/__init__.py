"""Human views of cards: schemas, explanations, image tools. The home of `construct`."""

from sscard.inspect.consistency import fsck
from sscard.inspect.finding import Finding, Severity

__all__ = ["Finding", "Severity", "fsck"]

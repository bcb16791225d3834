"""`fsck`: whether an image keeps the rules of its format (cos 2.4, 2.5, 1.4, 4.4).

Reads bytes only and never writes; every check is bounded by the image, so that no bytes make
it hang or crash. A committed transaction that was not applied yet is reported once, and the
rest is checked as the next power-on will leave it.
"""

from sscard.inspect.consistency.image import fsck

__all__ = ["fsck"]

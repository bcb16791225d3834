"""Comparing images of cards."""

from sscard.cos.volume import read_superblock


def without_ring(image: bytes) -> bytes:
    """Return an image with its journal ring erased (cos 4.5)."""
    block = read_superblock(image)
    ring = slice(block.journal_start * 64, (block.journal_start + block.journal_pages) * 64)
    blank = bytearray(image)
    blank[ring] = b"\xff" * (ring.stop - ring.start)
    return bytes(blank)

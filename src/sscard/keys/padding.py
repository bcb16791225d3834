"""Padding method 2 of ISO 9797-1: 80, then 00 to the block (cos 6.1). Pure; used by `keys`."""

__all__ = ["pad80", "pad80_if_needed", "strip80", "zero_pad"]


def pad80(data: bytes, block: int) -> bytes:
    """Append 80 00.. up to a multiple of `block`; always at least the 80 (MAC inputs)."""
    padded = data + b"\x80"
    return padded + bytes(-len(padded) % block)


def pad80_if_needed(data: bytes, block: int) -> bytes:
    """Append 80 00.. unless `data` is whole blocks already (enciphered data, cos 6.1)."""
    return pad80(data, block) if len(data) % block else data


def strip80(data: bytes) -> bytes:
    """Remove a trailing 80 00..; ValueError when there is none."""
    body = data.rstrip(b"\0")
    if not body.endswith(b"\x80"):
        raise ValueError("the padding 80 00.. is missing")
    return body[:-1]


def zero_pad(data: bytes, block: int) -> bytes:
    """Right-pad with 00 to exactly one `block`; ValueError when `data` is longer (IVs, cos 6.1)."""
    if len(data) > block:
        raise ValueError(f"{len(data)} bytes do not fit a block of {block}")
    return data.ljust(block, b"\0")

"""Damaged and hostile images: bits flipped, pages shuffled, good check sums over bad fields.

Every function takes an image and a `random.Random` and returns another image of the same size.
"""

from collections.abc import Callable, Iterator
from random import Random
from zlib import crc32

from sscard.cos.layout import PAGE_SIZE, ExtentTable, LayoutError, sealed
from sscard.cos.objects import (
    HEADER_SIZE,
    KEY_RECORD_SIZE,
    FileHeader,
    KeyRecord,
    Kind,
    align,
)

Damage = Callable[[bytes, Random], bytes]

CS, EX, OPTIONS = 4, 5, 6
RING = range(8, 136)
SECRETS_AT = 16, 32
"""Where the key value lies in a key record."""


def objects(image: bytes) -> Iterator[tuple[int, FileHeader]]:
    """Yield (address, header) of every object of every extent the image names."""
    try:
        entries = ExtentTable.parse(image[EX * 64 : EX * 64 + 64]).entries
    except LayoutError:
        return
    for entry in entries:
        address, limit = entry.start * 64 + 64, (entry.start + entry.pages) * 64
        while address + HEADER_SIZE <= limit and image[address] != 0xFF:
            header = FileHeader.parse(image[address : address + HEADER_SIZE])
            yield address, header
            address = align(address + HEADER_SIZE + header.body_length)


def meta_addresses(image: bytes) -> list[int]:
    """Return the addresses of the bytes a mistake hurts most: pages 0-6, DHs, headers, bodies."""
    found = list(range(7 * 64))
    for address, header in objects(image):
        found += range(address, address + HEADER_SIZE)
        if header.kind == Kind.KEY:
            found += range(address + HEADER_SIZE, address + HEADER_SIZE + 6 * KEY_RECORD_SIZE)
        else:
            found += range(address + HEADER_SIZE, address + HEADER_SIZE + 16)
    for start in (136, 168, 808):
        found += range(start * 64, start * 64 + 24)
    return found


def flipped(image: bytes, draw: Random) -> bytes:
    """A few bits, anywhere."""
    damaged = bytearray(image)
    for _ in range(draw.randint(1, 40)):
        damaged[draw.randrange(len(image))] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def flipped_metadata(image: bytes, draw: Random) -> bytes:
    """A few bits of what the COS itself reads."""
    damaged, places = bytearray(image), meta_addresses(image)
    for _ in range(draw.randint(1, 6)):
        damaged[draw.choice(places)] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def overwritten_metadata(image: bytes, draw: Random) -> bytes:
    """Whole bytes of what the COS itself reads, check sums and all."""
    damaged, places = bytearray(image), meta_addresses(image)
    for _ in range(draw.randint(1, 12)):
        damaged[draw.choice(places)] = draw.choice((0x00, 0xFF, 0x7F, 0x80, draw.randrange(256)))
    return bytes(damaged)


def noisy_pages(image: bytes, draw: Random) -> bytes:
    """Some pages full of noise; the superblocks are spared."""
    damaged = bytearray(image)
    for _ in range(draw.randint(1, 12)):
        page = draw.choice((draw.randrange(2, 8), 136, 137, 168, 169, 170, 171, 808, 809,
                            draw.randrange(2, len(image) // 64)))  # fmt: skip
        damaged[page * 64 : page * 64 + 64] = draw.randbytes(64)
    return bytes(damaged)


def shuffled_pages(image: bytes, draw: Random) -> bytes:
    """Pages that changed places, within the first of the extents or anywhere."""
    pages = [image[at : at + 64] for at in range(0, len(image), 64)]
    places = draw.choice((range(2, 8), range(168, 200), range(2, 900), RING))
    chosen = draw.sample(list(places), min(len(places), draw.randint(2, 30)))
    contents = [pages[place] for place in chosen]
    draw.shuffle(contents)
    for place, content in zip(chosen, contents, strict=True):
        pages[place] = content
    return b"".join(pages)


def hostile_headers(image: bytes, draw: Random) -> bytes:
    """Object headers with fields nobody would write, sealed by a good CRC."""
    damaged, found = bytearray(image), list(objects(image))
    for address, header in draw.sample(found, min(len(found), draw.randint(1, 3))):
        changes = {}
        for _ in range(draw.randint(1, 3)):
            field, width = draw.choice(
                (("kind", 1), ("fid", 2), ("sfi", 1), ("domain", 1), ("name_length", 1),
                 ("parent", 4), ("body_length", 4), ("record_max", 2), ("record_count", 1),
                 ("capacity", 2), ("sm_read", 1), ("sm_write", 1), ("quota", 4), ("lcs", 1),
                 ("suite", 1), ("state", 1), ("fci_fid", 2), ("flags", 1))
            )  # fmt: skip
            top = (1 << 8 * width) - 1
            changes[field] = (
                draw.choice(
                    (0, 1, 2, 5, 6, 7, 8, 0x38, 40, 255, top, draw.randint(0, top), address)
                )
                & top
            )
        if "kind" not in changes and draw.random() < 0.4:
            changes["kind"] = draw.choice(list(Kind))
        if draw.random() < 0.3:
            changes["access"] = tuple(draw.choice((0, 0xFFFF, 0x8F00, 0x1234)) for _ in range(6))
        damaged[address : address + HEADER_SIZE] = header._replace(**changes).build()
    return bytes(damaged)


def hostile_keys(image: bytes, draw: Random) -> bytes:
    """Key records with header fields nobody would load, sealed by a good CRC."""
    damaged = bytearray(image)
    for address, header in objects(image):
        if header.kind != Kind.KEY:
            continue
        for at in range(address + HEADER_SIZE, address + HEADER_SIZE + header.body_length, 40):
            if damaged[at] != 0xA5 or draw.random() < 0.3:
                continue
            record = KeyRecord.parse(bytes(damaged[at : at + 40]), at)
            changes = {
                name: draw.choice((0, 1, 2, 3, 4, 7, 0x0D, 0x33, 0x80, 0xFF, draw.randrange(256)))
                for name in draw.sample(
                    ("type", "id", "algorithm", "tries", "grant", "flags", "tries_left"), 2
                )
            }
            if draw.random() < 0.5:
                changes["value"] = draw.randbytes(draw.randint(0, 16))
            if draw.random() < 0.3:
                changes["use"] = draw.choice((0x1234, 0xFFFF, 0x0000))
            damaged[at : at + 40] = record._replace(**changes).build()
    return bytes(damaged)


def hostile_pages(image: bytes, draw: Random) -> bytes:
    """Metadata pages with random fields under a good CRC: CS, EX, DH, AT, CH, options."""
    damaged = bytearray(image)
    for page in draw.sample((2, 3, CS, EX, OPTIONS, 136, 168, 808), draw.randint(1, 3)):
        body = bytearray(image[page * 64 : page * 64 + 60])
        if page == EX and draw.random() < 0.8:
            body = bytearray(hostile_extents(draw))
        elif page == OPTIONS and draw.random() < 0.8:
            count = draw.randrange(0, 30)
            body = bytearray(b"OP\x01" + bytes((count,)) + draw.randbytes(2 * min(count, 28)))
        else:
            for _ in range(draw.randint(1, 4)):
                at = draw.randrange(2, 26)
                body[at] = draw.choice((0, 1, 3, 7, 0x20, 0xA5, 0xFF, draw.randrange(256)))
        damaged[page * 64 : page * 64 + 64] = sealed(bytes(body[:60]))
    return bytes(damaged)


def hostile_extents(draw: Random) -> bytes:
    """An extent table whose extents overlap, leave the image, or bear unknown domains."""
    count = draw.randint(0, 5)
    entries = b""
    for _ in range(count):
        start = draw.choice((0, 4, 5, 8, 100, 136, 168, 169, 808, 1200, 1279, 0xFFFF))
        pages = draw.choice((0, 1, 2, 3, 32, 640, 384, 2000, 0xFFFF))
        code = draw.choice((0, 0, 1, 1, 2, 2, 3, 0x81, 255))
        fid = draw.choice((0x3F00, 0xDDF1, 0xDDF2, 0))
        entries += bytes((code, 1)) + start.to_bytes(2) + pages.to_bytes(2) + fid.to_bytes(2)
        entries += b"\xff\xff"
    return b"EX" + bytes((count, 0)) + entries


def hostile_superblock(image: bytes, draw: Random) -> bytes:
    """Superblocks with a good CRC over another map."""
    damaged = bytearray(image)
    body = bytearray(image[:60])
    for _ in range(draw.randint(1, 2)):
        at = draw.choice((6, 7, *range(8, 32)))
        body[at] = draw.choice((0, 1, 2, 5, 6, 7, 8, 9, 0x40, 0x80, 0xFF, draw.randrange(256)))
    for copy in draw.sample((0, 64), draw.choice((1, 2, 2))):
        damaged[copy : copy + 64] = sealed(bytes(body))
    return bytes(damaged)


def transaction_page(
    seq: int, tag: int, images: list[tuple[int, bytes]], *, applied: int = 0xFF, first: int = 0xFFFF
) -> bytes:
    """Return a transaction page of the ring with good check sums, as cos 1.4 lays it out."""
    payload = b"".join(page.to_bytes(2) + data for page, data in images)
    body = seq.to_bytes(4) + len(payload).to_bytes(2) + bytes((len(images), tag))
    body += first.to_bytes(2) + b"\xff\xff" + crc32(payload).to_bytes(4)
    seal = crc32(b"JT\x01" + body).to_bytes(4)
    return b"JT\x01" + bytes((applied,)) + body + seal + payload[:40].ljust(40, b"\xff")


def transaction(
    slot: int, seq: int, tag: int, images: list[tuple[int, bytes]], *, applied: int = 0xFF
) -> list[tuple[int, bytes]]:
    """Return the ring pages (slot, 64 bytes) of a whole transaction that ends in `slot`."""
    payload = b"".join(page.to_bytes(2) + data for page, data in images)
    rest = [payload[at : at + 58] for at in range(40, len(payload), 58)]
    first = slot - len(rest)
    pages = [
        (first + index, b"JC" + seq.to_bytes(4) + part.ljust(58, b"\xff"))
        for index, part in enumerate(rest)
    ]
    opening = first if rest else 0xFFFF
    return [*pages, (slot, transaction_page(seq, tag, images, applied=applied, first=opening))]


def hostile_journal(image: bytes, draw: Random) -> bytes:
    """Transactions with good check sums that carry pages they should not, or nonsense."""
    damaged = bytearray(image)
    for _ in range(draw.randint(1, 4)):
        count = draw.choice((0, 1, 1, 2, 5))
        pages = [draw.choice((0, 2, 4, 5, 6, 8, 60, 136, 168, 170, 300, 808, 1200, 1279, 0xFFFF))
                 for _ in range(count)]  # fmt: skip
        images = [
            (page, draw.choice((draw.randbytes(64), sealed(hostile_extents(draw)), b"\xff" * 64)))
            for page in pages
        ]
        seq = draw.choice((1, 50, 2**31, 2**32 - 2, 2**32 - 1, draw.randrange(2**32)))
        tag = draw.choice((0, 1, 2, 3, 0x80, 0x81, 0x82, 0xFF))
        applied = draw.choice((0xFF, 0xFF, 0x00, 0x7F))
        slot = draw.randrange(len(images) * 2, 128)
        for place, page in transaction(slot, seq, tag, images, applied=applied):
            damaged[(8 + place) * 64 : (9 + place) * 64] = page
        if draw.random() < 0.3:
            at = (8 + slot) * 64 + draw.randrange(64)
            damaged[at] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def truncated_chain(image: bytes, draw: Random) -> bytes:
    """The end of a chain moved: an object cut short, or old bytes made part of it."""
    damaged, found = bytearray(image), list(objects(image))
    if not found:
        return image
    address, header = draw.choice(found)
    end = align(address + HEADER_SIZE + header.body_length)
    target = draw.choice((address, end))
    if target < len(damaged):
        damaged[target] = draw.choice((0xA5, 0x25, 0xFF, 0x00))
    return bytes(damaged)


DAMAGES: dict[str, Damage] = {
    function.__name__: function
    for function in (
        flipped,
        flipped_metadata,
        overwritten_metadata,
        noisy_pages,
        shuffled_pages,
        hostile_headers,
        hostile_keys,
        hostile_pages,
        hostile_superblock,
        hostile_journal,
        truncated_chain,
    )
}

assert PAGE_SIZE == 64

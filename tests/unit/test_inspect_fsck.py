"""`fsck` is silent on sound images and finds each planted fault (cos 2.4, 2.5, 1.4)."""

import random
from collections.abc import Callable
from zlib import crc32

import pytest

from sscard.card import Card, ChipSpec
from sscard.cos.eeprom import PAGE_SIZE, Phase, Tear
from sscard.cos.layout import (
    AtrPage,
    CardState,
    DomainHeader,
    DomainState,
    ExtentTable,
    TransportKeyState,
)
from sscard.cos.objects import FileHeader, KeyRecord, Kind
from sscard.env import Env
from sscard.errors import PowerLoss
from sscard.inspect import Severity, diff, dump, fsck, tree
from sscard.inspect.contents import Contents
from sscard.sample import new_card

MF, MF_KEYS, DDF1, SSSE_KEYS, EF05, DF01 = 0x2240, 0x2288, 0x2A40, 0x2A88, 0x2D38, 0x2DF0
EMK_SLOT, UK04_SLOT = 0x2AB8, 0x2AE0
SSSE_DH = 0x2A00
SELECT_SSSE = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00")
CHALLENGE = bytes.fromhex("0084000008")
WRONG_PROOF = bytes.fromhex("0082000410" + "00" * 16)


@pytest.fixture(scope="module")
def walk() -> bytes:
    return new_card("walk").image


def found(image: bytes | bytearray) -> str:
    return "\n".join(str(finding) for finding in fsck(image))


def rewrite_page(image: bytearray, page: int, kind: type, **changes: object) -> None:
    at = page * PAGE_SIZE
    record = kind.parse(bytes(image[at : at + PAGE_SIZE]))
    image[at : at + PAGE_SIZE] = record._replace(**changes).build()


def rewrite_header(image: bytearray, address: int, **changes: object) -> None:
    header = FileHeader.parse(bytes(image[address : address + 48]))
    image[address : address + 48] = header._replace(**changes).build()


def rewrite_key(image: bytearray, address: int, **changes: object) -> None:
    key = KeyRecord.parse(bytes(image[address : address + 40]))
    image[address : address + 40] = key._replace(**changes).build()


# --- sound images -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [32, 64, 80, 96, 128])
def test_cos_2_5_a_formatted_chip_is_clean(size):
    assert fsck(Card.blank(ChipSpec(size=size * 1024)).image) == []


def test_cos_4_5_the_walk_is_clean(walk):
    assert found(walk) == ""


def test_a_whole_social_security_card_is_clean():
    assert found(new_card("v2").image) == ""


# --- planted faults: each is found, and named --------------------------------------------


def _extents(image: bytearray, change: Callable[[list], list]) -> None:
    at = 5 * PAGE_SIZE
    entries = list(ExtentTable.parse(bytes(image[at : at + PAGE_SIZE])).entries)
    image[at : at + PAGE_SIZE] = ExtentTable(tuple(change(entries))).build()


def _pending() -> bytes:
    """A transaction page without images, committed and not applied."""
    body = (999).to_bytes(4) + bytes((0, 0, 0, 1)) + b"\xff" * 4 + bytes(4)
    head = b"JT\x01"
    return head + b"\xff" + body + crc32(head + body).to_bytes(4) + b"\xff" * 40


PENDING = _pending()

FAULTS: dict[str, tuple[Callable[[bytearray], None], str]] = {
    "superblock copy": (lambda image: image.__setitem__(90, 1), "superblock copy 1"),
    "reserved page": (lambda image: image.__setitem__(7 * 64, 1), "reserved page"),
    "chip page": (lambda image: image.__setitem__(2 * 64 + 5, 1), "CH chip page"),
    "ATR page": (lambda image: image.__setitem__(3 * 64 + 5, 1), "AT ATR page"),
    "short ATR": (
        lambda image: rewrite_page(image, 3, AtrPage, historical=bytes(7)),
        "too few historical bytes",
    ),
    "options page": (lambda image: image.__setitem__(6 * 64, 0), "OP options page"),
    "extent table": (lambda image: image.__setitem__(5 * 64 + 4, 1), "EX extent table"),
    "overlap": (
        lambda image: _extents(image, lambda e: [*e[:2], e[2]._replace(start=700)]),
        "overlaps another",
    ),
    "outside": (
        lambda image: _extents(image, lambda e: [*e[:2], e[2]._replace(start=1200)]),
        "outside the heap",
    ),
    "two extents": (
        lambda image: _extents(image, lambda e: [*e[:2], e[2]._replace(domain=1)]),
        "two extents",
    ),
    "unknown domain": (
        lambda image: _extents(image, lambda e: [*e[:2], e[2]._replace(domain=9)]),
        "no such domain",
    ),
    "domain header": (lambda image: image.__setitem__(SSSE_DH + 20, 0), "SSSE domain header"),
    "DH against EX": (
        lambda image: rewrite_page(image, SSSE_DH // 64, DomainHeader, pages=1),
        "disagrees with the extent table",
    ),
    "DDF address": (
        lambda image: rewrite_page(image, SSSE_DH // 64, DomainHeader, ddf=0x2A48),
        "DDF object",
    ),
    "owner without key": (
        lambda image: rewrite_key(image, EMK_SLOT, state=0x25),
        "OPERATIONAL without a master key",
    ),
    "key without owner": (
        lambda image: rewrite_page(image, SSSE_DH // 64, DomainHeader, state=DomainState.CREATED),
        "has a master key but is CREATED",
    ),
    "count of environments": (
        lambda image: rewrite_page(image, 4, CardState, domains=1),
        "counts 1 environments",
    ),
    "transport key": (
        lambda image: rewrite_page(image, 4, CardState, tk=bytes(15) + b"\1"),
        "destroyed but still there",
    ),
    "transport key state": (
        lambda image: rewrite_page(image, 4, CardState, tk_state=TransportKeyState.PRESENT),
        "with a transport key PRESENT",
    ),
    "header CRC": (lambda image: image.__setitem__(EF05 + 4, 6), "damaged"),
    "object state": (lambda image: image.__setitem__(EF05, 0x77), "unknown state 77"),
    "object too long": (
        lambda image: rewrite_header(image, DF01, body_length=0x20000),
        "the extent ends at",
    ),
    "foreign domain": (lambda image: rewrite_header(image, EF05, domain=2), "names PSE"),
    "unknown kind": (lambda image: rewrite_header(image, EF05, kind=0x33), "unknown kind 33"),
    "capacity": (lambda image: rewrite_header(image, EF05, capacity=127), "does not fit"),
    "condition": (
        lambda image: rewrite_header(image, EF05, access=(0x1234, *[0xFFFF] * 5)),
        "undefined access condition",
    ),
    "unused condition": (
        lambda image: rewrite_header(image, SSSE_KEYS, access=(0x8F00, 0, *[0xFFFF] * 4)),
        "unused access condition",
    ),
    "orphan": (lambda image: rewrite_header(image, EF05, parent=EF05), "orphan"),
    "doubled FID": (lambda image: rewrite_header(image, EF05, fid=0xEF80), "stands twice"),
    "quota of a DDF": (lambda image: rewrite_header(image, DDF1, quota=64), "is not 640 pages"),
    "no root": (lambda image: image.__setitem__(DDF1, 0x25), "no root directory"),
    "last tombstone": (lambda image: image.__setitem__(DF01, 0x25), "a tombstone ends the chain"),
    "block state": (lambda image: image.__setitem__(DF01 + 48, 9), "block state 09"),
    "DF name filler": (lambda image: image.__setitem__(DF01 + 48 + 23, 0), "are not FF"),
    "used bytes": (lambda image: image.__setitem__(EF05 + 48, 0x7F), "bytes are used of 128"),
    "record chain": (lambda image: image.__setitem__(EF05 + 49, 6), "beyond the used bytes"),
    "record form": (lambda image: image.__setitem__(EF05 + 48 + 4, 9), "not one tag, length"),
    "key CRC": (lambda image: image.__setitem__(UK04_SLOT + 20, 0), "CRC of the key record"),
    "key state": (lambda image: image.__setitem__(UK04_SLOT, 0x11), "unknown state 11"),
    "check value": (
        lambda image: rewrite_key(image, UK04_SLOT, kcv=b"abc"),
        "check value is not that of the key",
    ),
    "tries": (lambda image: image.__setitem__(UK04_SLOT + 13, 4), "4 tries left of 3"),
    "try limit": (lambda image: rewrite_key(image, UK04_SLOT, tries=0x30), "try limit 30"),
    "grant": (lambda image: rewrite_key(image, UK04_SLOT, grant=0x20), "grant 20"),
    "doubled key": (lambda image: rewrite_key(image, UK04_SLOT, type=0, id=0, grant=15), "twice"),
    "key length": (
        lambda image: rewrite_key(image, UK04_SLOT, value=bytes(8)),
        "does not fit type and algorithm",
    ),
    "forged transaction": (
        lambda image: image.__setitem__(slice(127 * 64 + 512, 128 * 64 + 512), PENDING),
        "committed but not applied",
    ),
    "residue": (
        lambda image: image.__setitem__(slice(127 * 64 + 512, 128 * 64 + 512), b"x" * 64),
        "residue of a torn write",
    ),
    "key in the ring": (
        lambda image: image.__setitem__(
            slice(512 + 64 * 127 + 6, 512 + 64 * 127 + 22), image[UK04_SLOT + 16 : UK04_SLOT + 32]
        ),
        "lingers here",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fsck_finds_a_planted_fault(walk, name):
    plant, expected = FAULTS[name]
    image = bytearray(walk)
    plant(image)
    assert expected in found(image)


def test_findings_say_where_and_how_bad(walk):
    image = bytearray(walk)
    rewrite_key(image, UK04_SLOT, kcv=b"abc")
    (finding,) = fsck(image)
    assert finding.severity is Severity.ERROR
    assert finding.where == "SSSE DDF1/EF80 slot 1"
    assert finding.address == UK04_SLOT
    assert finding.to_json()["severity"] == "error"
    assert "B0C3BE8D" not in str(finding).upper()


def test_fsck_of_other_bytes_is_one_finding():
    for data in (b"", bytes(100), b"\xff" * 81_920, random.Random(1).randbytes(81_920)):
        assert len(fsck(data)) == 1


def test_cos_2_4_an_exceeded_quota_of_an_adf_is_found():
    image = bytearray(new_card("v2").image)
    contents = Contents.read(bytes(image))
    adf = next(
        node
        for node in contents.environments[1].tree.nodes
        if node.kind == Kind.DIRECTORY and node.parent is not None
    )
    rewrite_header(image, adf.address, quota=100)
    assert "of a quota of 100" in found(image)


# --- torn and hostile images ---------------------------------------------------------------


def test_cos_1_4_a_torn_image_is_clean_after_the_power_on_that_recovers_it(walk):
    """Cut each operation of one failed proof: at most warnings of the journal, then nothing."""
    seen = set()
    for op in range(40):
        card = Card.from_image(walk, Env())
        activation = card.power_on()
        activation.transmit(SELECT_SSSE)
        activation.transmit(CHALLENGE)
        card.eeprom.arm(Tear(op, Phase.MID_PROGRAM, 7))
        try:
            activation.transmit(WRONG_PROOF)
        except PowerLoss:
            torn = card.image
        else:
            break
        findings = fsck(torn)
        seen.update(finding.what[:9] for finding in findings)
        assert all(finding.severity < Severity.ERROR for finding in findings), found(torn)
        assert all("journal" in finding.where for finding in findings)
        recovered = Card.from_image(torn)
        recovered.power_on()
        assert found(recovered.image) == ""
    assert op > 4
    assert "residue o" in seen


@pytest.mark.parametrize("seed", range(40))
def test_hostile_images_never_crash_a_view(walk, seed):
    """Random damage, with good superblocks, so that everything behind them is read."""
    chance = random.Random(seed)
    image = bytearray(walk)
    for _ in range(chance.choice((1, 10, 100, 3000))):
        image[chance.randrange(128, len(image))] = chance.choice((0, 0xFF, chance.randrange(256)))
    data = bytes(image)
    fsck(data)
    assert tree(data).to_json()
    assert str(dump(data, range(128, 190)))
    assert diff(walk, data) or data == walk


def test_a_deeply_nested_directory_tree_is_refused_calmly(walk):
    """Each directory claims the one before as its parent, to the end of the extent."""
    image = bytearray(walk)
    at, parent = DF01, DDF1
    while at + 72 < 0xCA00:
        header = FileHeader(
            kind=Kind.DIRECTORY,
            fid=0xDF01,
            domain=1,
            access=(0, 0, 0, 0xFFFF, 0xFFFF, 0xFFFF),
            parent=parent,
            name_length=5,
            body_length=24,
        )
        image[at : at + 72] = header.build() + b"\0\3\3" + b"\xff" * 5 + b"NAMED" + b"\xff" * 11
        at, parent = at + 72, at
    assert "too deep in the tree" in found(image)
    assert "DF01" in str(tree(image))
    assert str(dump(image, 200))

"""Random and mutated APDUs and images: always an answer, never an exception, never a hang."""

import re
import signal
from contextlib import contextmanager
from random import Random

import pytest
from cos_bureau import (
    ADF_KEY,
    ADF_OF,
    AMK,
    MASTER,
    PIN,
    PSE,
    SELECT,
    SSSE,
    STK,
    UK_SM4,
    Bureau,
    directory_fcp,
    fcp,
    furnished,
    key_header,
    master_header,
    operational,
)
from cos_damage import DAMAGES, EX
from cos_trace import WRONG, creatable, examples, extents
from cos_walk import CMK, SELECT_MF, TK, UK04, WALK, walked
from hypothesis import given
from hypothesis import strategies as st

from sscard.card import Card
from sscard.cos.eeprom import ENDURANCE
from sscard.cos.layout import CardState, DomainHeader, ExtentEntry, ExtentTable
from sscard.cos.objects import HEADER_SIZE, Kind
from sscard.cos.trace import Alarm, Exchanged
from sscard.cos.tree import mount
from sscard.env import Env
from sscard.errors import ImageError

KNOWN = re.compile(
    "9000|61..|6281|6283|6285|6300|63C.|6400|6581|6700|688[124]|698[1-8]|6901|6A8[0-4689A]"
    "|6B00|6C..|6D00|6E00|6F00|930[23]|940[1236]|6200"
)
MOST_OPERATIONS = 4_000
"""More EEPROM operations than any one command or power-on can need on 80 KiB."""
LONGEST = 256 + 4 + 2

CARDS = {
    "blank": lambda: Card.blank().snapshot(),
    "MF": lambda: walked("4"),
    "no owners": lambda: walked("9a"),
    "walked": lambda: walked("22"),
    "owned": furnished,
    "operational": operational,
}
cards = st.sampled_from(sorted(CARDS))
links = st.sampled_from(("apdu", "t0"))


@contextmanager
def fuse(seconds=60):
    """Turn a hang into a failure: far more processor time than the work can take."""

    def blow(signum, frame):
        raise AssertionError("hangs")

    before = signal.signal(signal.SIGVTALRM, blow)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def answered(bureau, raw):
    """Send anything; the answer is one a card can give."""
    before = bureau.card.eeprom.ops
    response = bureau.send(raw)
    assert isinstance(response, bytes)
    assert 2 <= len(response) <= LONGEST
    assert KNOWN.fullmatch(response[-2:].hex().upper()), response.hex(" ")
    assert bureau.card.eeprom.ops - before <= MOST_OPERATIONS
    return response


# --- commands -----------------------------------------------------------------------------------

FORMS = [
    *(bytes.fromhex(row.command) for row in WALK),
    *(bytes((0x80, 0xE0, 0, 0, len(one))) + one for one in creatable(SSSE)),
    *map(
        bytes.fromhex,
        (
            SELECT_MF, "00A4000002DF05", "00A4020002EF0A", "00A40300", "00A4010002DF05",
            "00A4040205315041592E", "00A4040006" + ADF_OF[SSSE].hex(), "00A4000002EF80",
            "0084000004", "0084000008", "0084000010", "00C0000000", "00C0000010",
            "00B08A0000", "00B08A0008", "00B0000000", "00B0900000", "00B0FF0000",
            "00B2015C00", "00B2016C05", "00B2017400", "00B2056800", "00B2050000", "00B2008400",
            "00D68A0004CAFEBABE", "00DC015C06303132333435", "00E2005806303132333435",
            "00DC007306303132333435", "00E20070050908070605", "00E200680402020102",
            "80CA00C000", "80CA00C300", "80CA00D000", "80CA00D100", "80CA00D200",
            "80E4000002EF0A", "80E4000002DF05", "84E4000006EF0A00000000",
            "841C000004" + "00" * 4, "840E000004" + "00" * 4, "84E6000004" + "00" * 4,
            "841E000004" + "00" * 4, "8418000004" + "00" * 4, "8416000004" + "00" * 4,
            "0020000003123456", "0020000003" + "00" * 3, "00200000", "0088000010" + "11" * 16,
            "0082000410" + "00" * 16, "0082000411" + "00" * 17, "0082000008" + "00" * 8,
            "0082000510" + "00" * 16, "04B0920004000000000F", "04D6920008" + "00" * 8,
            "80A8000002830000", "80AE400004" + "00" * 4, "04DA9F580400000000",
            "8024000004" + "00" * 4, "80D4000010" + "00" * 16, "80E20000028101",
        ),
    ),
]  # fmt: skip
"""Well-formed commands, one of each shape and more; their near misses are made of them."""


@st.composite
def near_misses(draw):
    """A well-formed command with one to three things wrong."""
    raw = bytearray(draw(st.sampled_from(FORMS)))
    for _ in range(draw(st.integers(0, 3))):
        match draw(st.integers(0, 7)):
            case 0 if raw:
                raw[0] = draw(st.sampled_from((0x00, 0x04, 0x80, 0x84, 0x01, 0x10, 0x0C, 0xFF)))
            case 1 if len(raw) > 1:
                raw[1] = draw(st.integers(0, 255))
            case 2 if len(raw) > 3:
                raw[draw(st.sampled_from((2, 3)))] = draw(st.integers(0, 255))
            case 3 if len(raw) > 4:
                raw[4] = draw(st.integers(0, 255))
            case 4:
                del raw[draw(st.integers(0, len(raw))) :]
            case 5:
                raw += draw(st.binary(max_size=4))
            case 6 if len(raw) > 5:
                raw[draw(st.integers(5, len(raw) - 1))] = draw(st.integers(0, 255))
            case 7 if len(raw) > 5:  # longer or shorter data, its length kept right
                data = draw(st.binary(min_size=1, max_size=255))
                raw = bytearray(raw[:4] + bytes((len(data),)) + data)
    return bytes(raw)


junk = st.binary(max_size=262)
commands = st.lists(st.one_of(near_misses(), near_misses(), near_misses(), junk), max_size=25)


def kept(image):
    """An image without what a refused command may change: ring, counters, free space."""
    bare = bytearray(image)
    bare[0x200:0x2200] = b"\xff" * 0x2000
    state = CardState.parse(image[0x100:0x140])
    bare[0x100:0x140] = state._replace(tk_left=0).build()
    for entry in ExtentTable.parse(image[EX * 64 : EX * 64 + 64]).entries:
        begin = entry.start * 64
        header = DomainHeader.parse(image[begin : begin + 64])
        bare[begin : begin + 64] = header._replace(block=0, mac_left=0, unblock_left=0).build()
        tree = mount(image, entry.start, entry.pages)
        for node in tree.nodes:
            if node.is_directory:
                bare[node.body : node.body + 3] = bytes(3)
            elif node.kind == Kind.KEY:
                for at in range(node.body, node.body + node.header.body_length, 40):
                    bare[at + 13] = 0
        first_free = -(-(tree.top + 1) // 64) * 64
        stop = (entry.start + entry.pages) * 64
        bare[first_free:stop] = b"\xff" * (stop - first_free)
    return bytes(bare)


def test_cos_9_zero_to_three_bytes_are_6700():
    for snapshot in (Card.blank().snapshot(), furnished()):
        for link in ("apdu", "t0"):
            bureau = Bureau(snapshot.fork(), link=link)
            image = bureau.card.image
            for raw in (b"", b"\x00", b"\x00\xa4", b"\x00\xa4\x04", b"\xff\xff\xff"):
                assert bureau.send(raw) == b"\x67\x00"
            assert bureau.card.image == image


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_cos_9_short_input_leaves_challenge_and_pending_answer_alone(link):
    bureau = Bureau(furnished().fork(), link=link)
    bureau.send(SELECT[SSSE])
    proof = bureau.proof(MASTER[SSSE])
    bureau.send(b"\x00\xa4\x04")
    assert bureau.sw(proof) == "9000"
    if link == "t0":
        assert bureau.sw(SELECT[SSSE]) == "6118"
        bureau.send(b"\x00\xc0")
        assert len(bureau.send("00C0000018")) == 26


@examples(150)
@given(card=cards, link=links, traffic=commands, seed=st.integers(0, 3))
def test_random_commands_are_answered(card, link, traffic, seed):
    """A refused one leaves the image as it was, but for counters (cos 1.3 T2)."""
    bureau = Bureau(CARDS[card]().fork(), link=link)
    if seed and card in ("walked", "owned", "operational"):
        code = SSSE if seed & 1 else PSE
        bureau.send(SELECT[code])
        bureau.prove(MASTER[code])
    with fuse():
        for raw in traffic:
            before = bureau.card.image
            response = answered(bureau, raw)
            if len(raw) < 4:
                assert response == b"\x67\x00"
            refused = response[0] in range(0x63, 0x70) or response[0] >= 0x93
            if refused and bureau.card.image != before:
                assert kept(bureau.card.image) == kept(before), raw.hex(" ")


@examples(60)
@given(raw=st.lists(junk, min_size=1, max_size=60), card=cards, link=links)
def test_junk_is_answered(raw, card, link):
    bureau = Bureau(CARDS[card]().fork(), link=link)
    for one in raw:
        answered(bureau, one)


@pytest.mark.parametrize("card", sorted(CARDS))
@pytest.mark.parametrize("code", [0, SSSE, PSE], ids=["CM", "SSSE", "PSE"])
def test_every_header_is_answered(card, code):
    """Every CLA and INS, as cases 1 to 4, with the master key proved where there is one."""
    bureau = Bureau(CARDS[card]().fork())
    home = SELECT.get(code, bytes.fromhex(SELECT_MF))
    bureau.send(home)
    for cla in (0x00, 0x04, 0x80, 0x84, 0x0C, 0x20, 0x90, 0xFF):
        for ins in range(256):
            for tail in (b"", b"\x00", b"\x08", b"\x02\xef\x0a", b"\x04\x00\x00\x00\x00\x00"):
                answered(bureau, bytes((cla, ins, 0, 0)) + tail)
        bureau.send(home)


# --- images -------------------------------------------------------------------------------------


def battery(bureau, draw):
    """A card's life in short: every selection, reads, proofs and writes with the right keys."""
    for home in (b"", bytes.fromhex(SELECT_MF), SELECT[SSSE], SELECT[PSE]):
        code = {SELECT[SSSE]: SSSE, SELECT[PSE]: PSE}.get(home, 0)
        if home:
            answered(bureau, home)
        key = MASTER[code] if code else draw.choice((CMK, TK))
        for raw in PROBES:
            answered(bureau, raw)
        for node in NODES:
            answered(bureau, bytes((0, 0xA4, 0, 0, 2)) + node.to_bytes(2))
            for raw in READS:
                answered(bureau, raw)
            if home:
                answered(bureau, home)
        for raw in owner_commands(bureau, key, code):
            answered(bureau, raw)


PROBES = [bytes.fromhex(text) for text in (
    "80CA00C000", "80CA00C300", "80CA00D000", "80CA00D100", "80CA00D200", "0084000008",
    "00A4040400", "00A4040405315041592E", "00A4040205315041592E",
    "00A4040006" + ADF_OF[SSSE].hex(), "00A4040406" + ADF_OF[SSSE].hex(), "00A40300",
    "00A40000023F00", "00A40004023F00",
)]  # fmt: skip
READS = [bytes.fromhex(text) for text in (
    "00A40004", "00B0000000", "00B00000FF", "00B0001F00", "00B0FFFF00", "00B2010400", "00B2020400",
    "00B2FF0400", "00B2010000", "00B2050000", "00B2160400", "00D6000004CAFEBABE",
    "00D6003004CAFEBABE",
    "00DC01040501020304", "00E200000501020304FF", "00E2000006313233343536", "00E20000040F020102",
    "00DC00030501020304FF", "00DC01040502030405",
)]  # fmt: skip
NODES = (*range(0xEF0A, 0xEF10), 0xEF05, 0xEF80, 0xDF05, 0xEF06, 0xEF02, 0xEF03)


def owner_commands(bureau, key, code):
    """Commands of an owner, each made when it is due: challenges are drawn on the way."""
    yield bureau.proof(key)
    yield bureau.proof(WRONG)
    yield bureau.proof(key)
    for kid, value, algorithm, session in ((4, UK04, 0, 1), (5, UK04, 0, 1), (6, UK_SM4, 4, 0)):
        yield bureau.proof(value, kid, algorithm=algorithm, session=bool(session))
        yield bureau.proof(WRONG, kid, algorithm=algorithm, session=bool(session))
    yield bytes.fromhex("80CA00D100")
    yield bytes.fromhex("80CA00D200")
    for one in creatable(code)[:6]:
        yield bytes((0x80, 0xE0, 0, 0, len(one))) + one
    yield bureau.protected("04D69200", b"protected", STK)
    yield bureau.protected("04B09400", b"", STK, length=8, le=16)
    yield b"\x00\x20\x00\x00\x03" + PIN
    yield b"\x00\x20\x00\x00\x03" + PIN[::-1]
    yield bytes.fromhex("0088000010" + "11" * 16)
    yield bureau.key_command(key, key_header(0x0D, 0x09), UK04)
    yield bureau.key_command(key, master_header(2), key[::-1], replace=True)
    yield bureau.protected("84E60000", b"", WRONG)
    yield bureau.protected("841E0000", b"", STK, length=8)
    yield bureau.protected("84180000", b"", STK, length=8)
    yield bytes.fromhex("80E4000002EF1A")
    yield bytes.fromhex("80E4000002DF05")
    yield bureau.protected("841C0000", b"", key)


SECRETS = (TK, CMK, *MASTER.values(), UK04, UK04[::-1], STK, UK_SM4, AMK, ADF_KEY)


def lives(image, draw, link, env=None):
    """Power a card of any image on, twice; ImageError is the only way out.

    No damage is a firewall violation, and none makes the card tell a key.
    """
    try:
        card = Card.from_image(image, env or Env(power_ons=draw.randrange(100)))
        bureau = Bureau(card, link=link)
    except ImageError:
        return False
    events = []
    card.trace(events.append)
    battery(bureau, draw)
    bureau.power = card.power_on(link)
    battery(bureau, draw)
    alarms = [event for event in events if isinstance(event, Alarm)]
    assert not alarms, alarms[0].why
    told = b"".join(event.response for event in events if isinstance(event, Exchanged))
    assert not [secret for secret in SECRETS if secret in told]
    return True


@pytest.mark.parametrize("damage", DAMAGES)
@examples(25)
@given(seed=st.integers(0, 2**32), card=cards, link=links)
def test_damaged_images_are_refused_or_live(damage, seed, card, link):
    draw = Random(seed)
    with fuse():
        lives(DAMAGES[damage](CARDS[card]().image, draw), draw, link)


@examples(30)
@given(seed=st.integers(0, 2**32), names=st.lists(st.sampled_from(sorted(DAMAGES)), max_size=3))
def test_damage_upon_damage(seed, names):
    draw, image = Random(seed), operational().image
    for name in names:
        image = DAMAGES[name](image, draw)
    with fuse():
        lives(image, draw, "apdu")


@examples(20)
@given(seed=st.integers(0, 2**32), card=cards)
def test_worn_silicon_is_6581_and_nothing_worse(seed, card):
    """Pages beyond their endurance: writes fail now and then, on power-on too (cos 1.2)."""
    draw = Random(seed)
    image = CARDS[card]().image
    wear = [draw.choice((0, ENDURANCE + 1)) for _ in range(len(image) // 64)]
    env = Env(wear=wear, wear_failures=True)
    with fuse():
        assert lives(image, draw, draw.choice(("apdu", "t0")), env)


@given(noise=st.binary(max_size=4096))
def test_noise_is_no_image(noise):
    with pytest.raises(ImageError):
        Card.from_image(noise)


@pytest.mark.parametrize("size", [0, 64, 4096, 81_919, 81_921, 81_856, 163_840])
def test_an_image_of_another_size_is_refused(size):
    image = (operational().image * 2)[:size]
    with pytest.raises(ImageError):
        Card.from_image(image)


@examples(15)
@given(seed=st.integers(0, 2**32))
def test_a_good_superblock_over_noise_is_a_card(seed):
    draw = Random(seed)
    image = Card.blank().image[:128]
    with fuse():
        assert lives(image + draw.randbytes(81_920 - 128), draw, "apdu")


# --- what a damaged field may not do, one by one ------------------------------------------------


def header_of(fid):
    """Where the header of a file of the furnished SSSE lies, and what it says."""
    image = furnished().image
    pages = extents(image)[SSSE]
    nodes = mount(image, pages.start, len(pages)).nodes
    return next((node.address, node.header) for node in nodes if node.fid == fid)


HOSTILE_FIELDS = [
    (0xEF0A, {"capacity": 0xFFFF}),
    (0xEF0A, {"body_length": 0}),
    (0xEF0A, {"kind": Kind.LINEAR_FIXED, "record_max": 255, "record_count": 254}),
    (0xEF0A, {"kind": Kind.LINEAR_VARIABLE, "capacity": 0xFFFF, "record_count": 255}),
    (0xEF0A, {"kind": 0x77}),
    (0xEF0A, {"sfi": 0xFF}),
    (0xEF0B, {"record_max": 0xFFFF}),
    (0xEF0B, {"record_count": 255}),
    (0xEF0B, {"body_length": 1}),
    (0xEF0C, {"body_length": 1}),
    (0xEF0C, {"body_length": 0xA000}),
    (0xEF0C, {"record_max": 0xFFFF, "capacity": 0xFFFF}),
    (0xEF0E, {"record_count": 0}),
    (0xEF0E, {"record_count": 0, "capacity": 0, "body_length": 2}),
    (0xEF0E, {"record_max": 0}),
    (0xEF80, {"body_length": 39}),
    (0xEF80, {"capacity": 0xFFFF, "body_length": 0x7000}),
    (0xEF80, {"kind": Kind.TRANSPARENT, "access": (0,) * 6}),
    (0xEF80, {"kind": Kind.LINEAR_FIXED, "access": (0,) * 6}),
    (0xEF80, {"kind": Kind.LINEAR_VARIABLE, "access": (0,) * 6}),
    (0xDF05, {"body_length": 0}),
    (0xDF05, {"name_length": 255}),
    (0xDF05, {"parent": 0xFFFFFFFF}),
    (0xDDF1, {"body_length": 1}),
    (0xDDF1, {"parent": 0x2A40}),
    (0xDDF1, {"kind": Kind.TRANSPARENT}),
    (0xDDF1, {"quota": 0xFFFFFFFF}),
]


@pytest.mark.parametrize(("fid", "changes"), HOSTILE_FIELDS)
@pytest.mark.parametrize("broken_crc", [False, True], ids=["sealed", "flipped"])
def test_cos_2_5_a_hostile_header_is_contained(fid, changes, broken_crc):
    image = bytearray(furnished().image)
    address, header = header_of(fid)
    image[address : address + HEADER_SIZE] = header._replace(**changes).build()
    if broken_crc:
        image[address + 44] ^= 1
    with fuse():
        assert lives(bytes(image), Random(0), "apdu")


@pytest.mark.parametrize("bit", range(8))
def test_cos_2_5_a_flipped_bit_in_the_kind_of_a_key_file_does_not_open_it(bit):
    """0C is one bit away from 04, a record file; the CRC tells, and EF80 is a key EF."""
    card = furnished().fork()
    card.eeprom.poke(0x2A88 + 1, bytes((0x0C ^ 1 << bit,)))
    card.eeprom.poke(0x2A88 + 24, bytes(6))  # read, update and append for everybody
    bureau = Bureau(card).select(SSSE)
    assert bureau.sw("00A4000002EF80") == "6283"
    for command in ("00B0000000", "00B2010400", "00B2010000"):
        assert bureau.sw(command) == "6981"
    assert bureau.prove(MASTER[SSSE]) == "9000", "each key has a CRC of its own"
    assert bureau.write_key(MASTER[SSSE], key_header(0x0D, 9), UK04) == "6581"
    assert bureau.create(fcp(1, 0xEF1A, size=8)) == "6581"


@pytest.mark.parametrize("left", [9, 0x10, 0x7F, 0x80, 0xFF])
def test_cos_4_7_a_counter_above_its_maximum_counts_as_the_maximum(left):
    card = furnished().fork()
    card.eeprom.poke(0x2AB8 + 13, bytes((left,)))
    bureau = Bureau(card).select(SSSE)
    assert bureau.prove(WRONG) == "63C7"
    assert bureau.prove(MASTER[SSSE]) == "9000"


@pytest.mark.parametrize("damage", ["CS gone", "255 domains", "TK tries", "TK algorithm"])
def test_cos_2_5_a_hostile_card_state(damage):
    """TK and the number of domains are numbers like others: no exception comes of them."""
    row = "5" if damage == "255 domains" else "11 create" if damage == "CS gone" else ""
    card = walked(row).fork() if row else Card.blank()
    state = CardState.parse(card.image[0x100:0x140])
    if damage == "CS gone":
        card.eeprom.poke(0x100, bytes(64))
    else:
        changes = {
            "255 domains": {"domains": 255},
            "TK tries": {"tk_max": 255, "tk_left": 200},
            "TK algorithm": {"tk_algorithm": 0x55},
        }
        card.eeprom.poke(0x100, state._replace(**changes[damage]).build())
    bureau = Bureau(card)
    match damage:
        case "CS gone":
            bureau.select(PSE)
            assert bureau.prove(CMK) == "9000"
            before = card.image
            assert bureau.write_key(CMK, master_header(), WRONG) == "6581"
            assert kept_but_card_state(card.image) == kept_but_card_state(before)
        case "255 domains":
            assert bureau.prove(CMK) == "9000"
            a5 = bytes.fromhex("A506C00101C10103")
            ddf = directory_fcp(0xDDF1, b"hostile", 2048, extra=a5)
            assert bureau.create(ddf) == "9000"
            assert card.image[0x103] == 1
        case "TK tries":
            assert bureau.prove(WRONG) == "63CE"
            assert bureau.prove(TK) == "9000"
        case "TK algorithm":
            assert bureau.prove(TK) == "6A88"


def kept_but_card_state(image):
    return image[:0x100], image[0x140:0x200], image[808 * 64 :]


def test_cos_2_5_a_full_extent_table_takes_no_further_domain():
    card = walked("5").fork()
    entries = ExtentTable.parse(card.image[0x140:0x180]).entries
    others = tuple(ExtentEntry(code, 300 + code * 10, 3, 0) for code in (3, 4, 5, 6))
    card.eeprom.poke(0x140, ExtentTable(entries + others).build())
    bureau = Bureau(card)
    assert bureau.prove(CMK) == "9000"
    a5 = bytes.fromhex("A506C00101C10103")
    assert bureau.create(directory_fcp(0xDDF1, b"one more", 2048, extra=a5)) == "6A84"


def test_cos_2_4_a_directory_of_more_pages_than_a_transaction_holds_is_not_deleted():
    bureau = Bureau(furnished().fork()).select(SSSE)
    assert bureau.prove(MASTER[SSSE]) == "9000"
    assert bureau.create(directory_fcp(0xDF0B, b"very full", 0)) == "9000"
    bureau.ok("00A4000002DF0B")
    for fid in range(0xA001, 0xA001 + 70):
        assert bureau.create(fcp(1, fid, size=64, sfi=0)) == "9000"
    bureau.ok("00A4000002DDF1")
    assert bureau.prove(MASTER[SSSE]) == "9000"
    assert bureau.create(fcp(1, 0xEF1A, size=8)) == "9000"
    before = bureau.card.image
    assert bureau.sw("80E4000002DF0B") == "6A84"
    assert bureau.card.image == before
    bureau.ok("80E4000002EF1A", "80E4000002DF0B"), "at the end of the chain it is cut off"


def test_cos_2_2_directories_nested_a_thousand_deep_are_orphans():
    """A chain with good check sums, each directory the parent of the next."""
    image = bytearray(operational().image)
    pages = extents(bytes(image))[SSSE]
    tree = mount(image, pages.start, len(pages))
    address, parent = tree.top, tree.nodes[0].address
    deepest = b""
    while address + 72 < pages.stop * 64:
        deepest = b"deep%06d" % address
        header = tree.nodes[0].header._replace(
            fid=address & 0x7FFF, parent=parent, name_length=len(deepest)
        )
        body = b"\x00\x03\x03" + b"\xff" * 5 + deepest.ljust(16, b"\xff")
        image[address : address + 72] = header.build() + body
        parent, address = address, address + 72
    image[address] = 0xFF
    with fuse():
        bureau = Bureau(Card(bytes(image))).select(SSSE)
        assert bureau.sw(bytes((0, 0xA4, 4, 0, len(deepest))) + deepest) == "6A82"
        lives(bytes(image), Random(0), "apdu")


def test_ssse_4_5_an_ssf33_key_is_kept_and_answers_6a81():
    """Its algorithm is not public: no try is spent on it."""
    bureau = Bureau(furnished().fork()).select(SSSE)
    assert bureau.prove(MASTER[SSSE]) == "9000"
    for kid, flags in ((0x0B, 1), (0x0C, 3)):
        header = key_header(0x0D, kid, algorithm=2, flags=flags)
        assert bureau.write_key(MASTER[SSSE], header, UK04) == "9000"
        before = bureau.card.eeprom.ops
        for length in (8, 16):
            bureau.challenge()
            command = bytes((0, 0x82, 0, kid, length)) + bytes(length)
            assert bureau.sw(command) == "6A81"
        assert bureau.card.eeprom.ops == before

"""ssse-lb002 3.10: the medical account of DF04; pse-pboc 8: GET TRANSACTION PROVE.

What EF81 holds is set and looked at byte by byte; MACs are those of a till with the keys.
"""

import struct
import zlib

import pytest
from ssse_desk import Desk
from ssse_till import MOMENT, TERMINAL, Till, account_keys

from sscard.card import Card
from sscard.cos.layout import DomainHeader, DomainState, ExtentTable
from sscard.cos.tree import mount
from sscard.keys import purse
from sscard.perso.profile import Profile
from sscard.sample import new_card

KEY = "ssse.df.DF04.key"
FULL = 0xFFFFFFFF
SPOILED = "DEADBEEF"
DEBIT = "805401000F" + "00000007" + MOMENT.hex() + SPOILED
CREDIT = "805200000B" + MOMENT.hex() + SPOILED


@pytest.fixture(scope="session")
def tills():
    """Return tills by overrides of v2, each at a fresh copy of its card, DF04 not selected."""
    known = {}

    def make(changes=None, link="apdu"):
        name = repr(sorted((changes or {}).items()))
        if name not in known:
            profile = Profile.load("v2", changes or {})
            known[name] = (new_card(profile).snapshot(), profile)
        snapshot, profile = known[name]
        keys = account_keys(profile)
        purse_form = profile.option("medical_account") == "purse"
        return Till(Desk(snapshot.fork(), link=link), keys, purse_form=purse_form)

    return make


@pytest.fixture
def till(tills):
    """At the account of a default card, the PIN verified."""
    return tills().open()


def extent(image, domain=1):
    table = ExtentTable.parse(image[0x140:0x180])
    return next(entry for entry in table.entries if entry.domain == domain)


def file_address(image, fid):
    """Where the body of a file of DF04 lies."""
    pages = extent(image)
    tree = mount(image, pages.start, pages.pages)
    medical = next(node for node in tree.nodes if node.fid == 0xDF04)
    return medical.child(fid).body


def ef81(*, balance=0, online=0, offline=0, debited=0, last=(0, 0, bytes(4), bytes(4))):
    body = struct.pack(">BIHHI", 1, balance, online, offline, debited)
    body += struct.pack(">BH4s4s", *last) + bytes(3)
    return body + zlib.crc32(body).to_bytes(4)


def held(till):
    """The bytes of EF81."""
    image = till.desk.card.image
    at = file_address(image, 0xEF81)
    return image[at : at + 31]


def given(till, **fields):
    """Put an account into EF81 before anything is selected."""
    card = till.desk.card
    image = bytearray(card.image)
    at = file_address(image, 0xEF81)
    image[at : at + 31] = ef81(**fields) if fields else bytes(31)
    return Till(Desk(Card(bytes(image))), till.keys, purse_form=till.p2 == 2)


def record(sequence, kind, amount, balance, debited):
    fields = (f"{sequence:04X}{kind:02X}", TERMINAL.hex(), MOMENT.hex())
    return "".join((*fields, f"{amount:08X}{balance:08X}{debited:08X}")).upper()


# ---- loads and purchases ---------------------------------------------------------------------


def test_ssse_3_10_a_new_account_is_empty(till):
    assert held(till) == b"\xff" * 31
    assert till.balance() == 0
    assert till.log() == []
    load = till.begin_load(1)
    assert (load.balance, load.sequence, load.version, load.algorithm) == (0, 0, 1, 0)
    load = till.begin_purchase(0)
    assert (load.balance, load.sequence, load.version, load.algorithm) == (0, 0, 1, 0)
    assert held(till) == b"\xff" * 31
    for kind in (1, 5):
        assert till.prove(kind, 0) == "9406"


@pytest.mark.parametrize(("form", "load_kind", "kind"), [("deposit", 1, 5), ("purse", 2, 6)])
def test_ssse_3_10_load_and_purchase(tills, form, load_kind, kind):
    till = tills({"medical_account": form}).open()
    load = till.begin_load(70_000)
    key = purse.load_key(till.keys["DLK"], load.random, 0)
    assert load.transaction.kind == load_kind
    assert load.mac1 == purse.load_mac1(key, 0, load.transaction)
    tac = till.desk.data(till.credit(load))
    assert tac == purse.load_tac(till.keys["DTK"], 70_000, 0, load.transaction).hex().upper()
    mac2 = purse.load_mac2(key, load.transaction)
    last = (load_kind, 0, mac2, bytes.fromhex(tac))
    assert held(till) == ef81(balance=70_000, online=1, last=last)
    assert till.prove(load_kind, 0) == mac2.hex().upper() + tac + "9000"
    assert till.log() == []  # EF08 is the log of debits

    debit = till.begin_purchase(1_234)
    assert (debit.balance, debit.sequence) == (70_000, 0)
    answer = till.desk.data(till.debit(debit, number=0x00FF_0102))
    key = purse.purchase_key(till.keys["DPK"], debit.random, 0, 0x0102)
    tac = purse.purchase_tac(till.keys["DTK"], debit.transaction, 0x00FF_0102)
    mac2 = purse.purchase_mac2(key, 1_234)
    assert debit.transaction.kind == kind
    assert answer == (tac + mac2).hex().upper()
    last = (kind, 0, mac2, tac)
    assert held(till) == ef81(balance=68_766, online=1, offline=1, debited=1_234, last=last)
    assert till.log() == [record(0, kind, 1_234, 68_766, 1_234)]
    assert till.prove(kind, 0) == (mac2 + tac).hex().upper() + "9000"
    assert till.prove(load_kind, 0) == "9406"


def test_ssse_3_10_counters_run_apart(till):
    for number, amount in enumerate((500, 600)):
        load = till.begin_load(amount)
        assert load.sequence == number
        till.desk.data(till.credit(load))
    for number, amount in enumerate((100, 200, 300)):
        debit = till.begin_purchase(amount)
        assert debit.sequence == number
        till.desk.data(till.debit(debit))
    assert till.begin_load(1).sequence == 2
    assert till.balance() == 500
    assert till.log() == [
        record(2, 5, 300, 500, 600),
        record(1, 5, 200, 800, 300),
        record(0, 5, 100, 1_000, 100),
    ]


def test_ssse_2_4_the_log_keeps_thirty_debits(till):
    till.load(33)
    for _ in range(33):
        till.buy(1)
    assert till.log() == [record(n, 5, 1, 32 - n, n + 1) for n in range(32, 2, -1)]


def test_ssse_3_10_the_account_lasts(till):
    till.load(1_000)
    till.buy(400)
    again = Till(Desk(till.desk.card.fork()), till.keys).open()
    assert again.balance() == 600
    assert again.begin_purchase(1).sequence == 1
    assert again.begin_load(1).sequence == 1


def test_ssse_2_4_nobody_writes_the_account_but_the_cos(till):
    till.load(1)
    before = held(till)
    assert till.desk("00A4020002EF81") == "9000"
    for apdu in ("00B0000000", "00D6000001 00", "00B2010400", "00DC010401 00", "00E2000001 00"):
        assert till.desk(apdu) == "6981"
    assert till.desk("00A4020002EF08") == "9000"
    assert till.desk("00E200001C" + "00" * 28) == "6982"
    assert till.desk("00DC00041C" + "00" * 28) == "6982"
    assert held(till) == before


# ---- form and order --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        ("805002010B 01 00000001 999901000001", "6A86"),
        ("805000000B 01 00000001 999901000001", "6A86"),
        ("805001030B 01 00000001 999901000001", "6A86"),
        ("805000010A 01 00000001 9999010000", "6700"),
        ("80500001", "6700"),
        ("005000010B 01 00000001 999901000001", "6E00"),
        ("845000010B 01 00000001 999901000001", "6882"),
        ("805201000B" + MOMENT.hex() + SPOILED, "6A86"),
        ("805200010B" + MOMENT.hex() + SPOILED, "6A86"),
        ("805200000A" + MOMENT.hex() + SPOILED[:6], "6700"),
        ("805400000F" + "00000007" + MOMENT.hex() + SPOILED, "6A86"),
        ("805401010F" + "00000007" + MOMENT.hex() + SPOILED, "6A86"),
        ("805401000E" + "000007" + MOMENT.hex() + SPOILED, "6700"),
        ("805C000004", "6A86"),
        ("805C000304", "6A86"),
        ("805C010104", "6A86"),
        ("805C000101 00", "6700"),
        ("805A000302 0000", "6A86"),
        ("805A000702 0000", "6A86"),
        ("805A010502 0000", "6A86"),
        ("805A000501 00", "6700"),
        ("8058000004" + SPOILED, "6D00"),  # no overdraw limit is ever set
        (CREDIT, "6985"),
        (DEBIT, "6985"),
    ],
)
def test_ssse_3_10_forms(till, apdu, sw):
    assert till.desk(apdu) == sw


@pytest.mark.parametrize("where", ["", "DF01", "DF03"])
def test_ssse_3_10_the_account_is_in_df04(tills, where):
    till = tills()
    desk = till.desk.ssse(where)
    for apdu in (till.initialize(0, 1), till.initialize(1, 1), "805C000104", "805A0005020000"):
        assert desk(apdu) == "6985"


def test_ssse_3_10_not_before_issue(tills):
    """6901: a domain still OWNED."""
    till = tills()
    image = bytearray(till.desk.card.image)
    at = extent(image).start * 64
    header = DomainHeader.parse(bytes(image[at : at + 64]))
    built = header._replace(state=DomainState.OWNED).build()
    image[at : at + len(built)] = built
    till = Till(Desk(Card(bytes(image))), till.keys).open()
    for apdu in (till.initialize(0, 1), till.initialize(1, 1), "805C000104", "805A0005020000"):
        assert till.desk(apdu) == "6901"


def test_cos_5_3_order_of_refusals(tills):
    """Faults are put right one by one; what is left is told in the order of the section."""
    till = given(tills({f"{KEY}.DPK.tries": "11"}), balance=5, offline=0xFFFF)
    desk = till.desk.ssse()
    other = till.initialize(1, 6, index=2).replace("80500101", "80500102")
    assert desk(other) == "6985"
    desk.ok("00A4000002DF04")
    assert desk(other) == "6A81"
    assert desk(till.initialize(1, 6, index=2)) == "9403"
    assert desk(till.initialize(1, 6)) == "6982"
    assert desk.pin() == "9000"
    assert desk(till.initialize(1, 6)) == "9402"
    till = given(till, balance=5).open()
    assert till.desk(till.initialize(1, 6)) == "9401"
    assert till.desk(till.initialize(1, 5))[-4:] == "9000"
    assert till.desk(DEBIT) == "9302"
    assert till.desk.sw("00200000 03 999999") == "63C5"
    assert till.desk(till.initialize(1, 6)) == "6983"  # before 6982
    assert till.desk(till.initialize(0, 6)) == "6982"


@pytest.mark.parametrize("form", ["deposit", "purse"])
def test_ssse_3_10_one_account_of_one_kind(tills, form):
    till = tills({"medical_account": form}).open()
    other = 3 - till.p2
    for apdu in (
        till.initialize(0, 1)[:6] + f"{other:02X}" + till.initialize(0, 1)[8:],
        till.initialize(1, 1)[:6] + f"{other:02X}" + till.initialize(1, 1)[8:],
        f"805C00{other:02X}04",
        f"805A00{other:02X}020000",
        f"805A00{other + 4:02X}020000",
    ):
        assert till.desk(apdu) == "6A81"
    assert till.balance() == 0


@pytest.mark.parametrize("p1", [0, 1])
def test_ssse_3_10_the_pin_must_be_verified(tills, p1):
    till = tills().open(pin="")
    assert till.desk(till.initialize(p1, 0)) == "6982"
    assert till.desk("805C000104") == "6982"
    assert till.prove(5, 0) == "9406"  # wants none
    assert till.desk.pin() == "9000"
    assert till.desk(till.initialize(p1, 0))[-4:] == "9000"
    assert till.desk.pin("999999") == "63C5"
    assert till.desk(till.initialize(p1, 0)) == "6982"
    assert till.desk("805C000104") == "6982"


def test_ssse_3_10_limits_of_amounts_and_counters(till):
    assert till.desk(till.initialize(1, 1)) == "9401"
    till = given(till, balance=FULL - 5, debited=FULL - 1).open()
    assert till.desk(till.initialize(0, 6)) == "6985"
    assert till.load(5)
    assert till.balance() == FULL
    assert till.desk(till.initialize(0, 1)) == "6985"
    till.buy(FULL)
    assert till.balance() == 0
    assert till.log() == [record(0, 5, FULL, 0, FULL)]  # all debits: as much as fits
    till = given(till, balance=9, online=0xFFFE, offline=0xFFFE).open()
    assert till.load(1)
    assert till.buy(1)
    assert till.desk(till.initialize(0, 1)) == "9402"
    assert till.desk(till.initialize(1, 1)) == "9402"
    assert till.balance() == 9


# ---- keys ------------------------------------------------------------------------------------


def test_ssse_3_10_key_index(till):
    for index in (0, 2, 0xFF):
        for p1 in (0, 1):
            assert till.desk(till.initialize(p1, 0, index)) == "9403"


def test_ssse_3_10_several_key_indexes(tills):
    """An index without its DTK is none; the answer tells the version."""
    second = {
        f"{KEY}.DPK2": {"type": "purchase", "id": "02", "version": 2, "value": "21" * 16},
        f"{KEY}.DLK2": {"type": "load", "id": "02", "version": 2, "value": "22" * 16},
    }
    till = tills(second).open()
    assert till.desk(till.initialize(1, 0, index=2)) == "9403"
    second[f"{KEY}.DTK2"] = {"type": "tac", "id": "02", "value": "23" * 16}
    profile = Profile.load("v2", second)
    till = tills(second).open()
    medical = next(df for df in profile.ssse.directories if df.fid == 0xDF04)
    begun = bytes.fromhex(till.desk.data(till.initialize(1, 0, index=2)))
    assert begun[9:11] == b"\x02\x00"
    key = purse.purchase_key(medical.key(0x09, 2).value, begun[11:], 0, 7)
    mac2 = purse.purchase_mac2(key, 0)
    transaction = purse.Transaction(0, 5, TERMINAL, MOMENT)
    tac = purse.purchase_tac(medical.key(0x0A, 2).value, transaction, 7)
    mac1 = purse.purchase_mac1(key, transaction)
    answer = till.desk.data(DEBIT.replace(SPOILED, mac1.hex()))
    assert answer == (tac + mac2).hex().upper()
    till.load(1)
    till.buy(1)


@pytest.mark.parametrize("name", ["DLK", "DPK", "DTK"])
def test_ssse_3_10_other_algorithms_are_not_supported(tills, name):
    value = {f"{KEY}.{name}.algorithm": "sm4", f"{KEY}.{name}.value": "11" * 16}
    profile = Profile.load("v2")
    medical = next(df for df in profile.ssse.directories if df.fid == 0xDF04)
    assert medical.key(0x0A, 1).algorithm == 0
    if name == "DLK":
        value = {f"{KEY}.{name}.algorithm": "sm4"}
    till = tills(value).open()
    for p1, needs in ((0, "DLK"), (1, "DPK")):
        expected = "6A81" if name in (needs, "DTK") else "9000"
        assert till.desk(till.initialize(p1, 0))[-4:] == expected


def test_cos_1_3_t2_a_key_that_counts(tills):
    till = tills({f"{KEY}.DPK.tries": "33"}).open()
    for _ in range(2):
        for _ in range(2):
            till.begin_purchase(0)
            assert till.desk(DEBIT) == "9302"
        till.buy(0)
    for _ in range(3):
        till.begin_purchase(0)
        assert till.desk(DEBIT) == "9302"
    assert till.desk(till.initialize(1, 0)) == "6983"
    assert till.load(1)
    assert till.balance() == 1


def test_ssse_3_10_a_key_that_does_not_count_takes_any_number(till):
    """And none of it counts in `mac_left`: that is line protection's."""
    till.load(10)
    for _ in range(20):
        till.begin_purchase(10)
        assert till.desk(DEBIT) == "9302"
        till.begin_load(10)
        assert till.desk(CREDIT) == "9302"
    assert till.balance() == 10
    assert till.buy(10)


# ---- the state between the two commands -----------------------------------------------------


@pytest.mark.parametrize(("p1", "completing"), [(0, CREDIT), (1, DEBIT)])
def test_ssse_3_10_a_wrong_mac_changes_nothing(till, p1, completing):
    till.load(100)
    before = held(till)
    begun = till.begin_load(50) if p1 == 0 else till.begin_purchase(50)
    good = till.credit(begun) if p1 == 0 else till.debit(begun)
    assert till.desk(completing) == "9302"
    assert till.desk(good) == "6985"
    assert held(till) == before
    assert till.log() == []


def test_ssse_3_10_one_initialisation_completes_one_transaction(till):
    load = till.begin_load(100)
    till.desk.data(till.credit(load))
    assert till.desk(till.credit(load)) == "6985"
    debit = till.begin_purchase(10)
    till.desk.data(till.debit(debit))
    assert till.desk(till.debit(debit)) == "6985"
    assert till.balance() == 90


def test_ssse_3_10_each_initialisation_has_its_own_completion(till):
    till.load(100)
    till.begin_load(1)
    assert till.desk(DEBIT) == "6985"
    till.begin_purchase(1)
    assert till.desk(CREDIT) == "6985"


BETWEEN = [
    "00A40000023F00",
    "00A404000F 7378312E73682EC9E7BBE1B1A3D5CF",
    "00A4000002DF04",
    "00A4020002EF08",
    "00A4020002EEEE",
    "00A4090002EF08",
    "0084000008",
    "0020000003 123456",
    "00200000",
    "00B2014400",
    "805C000104",
    "805A0005020000",
    "80CA00C000",
    "80500001",
    "80FF0000",
]


@pytest.mark.parametrize("between", BETWEEN)
def test_ssse_3_10_any_other_command_ends_it(till, between):
    till.load(100)
    for begin, complete in (
        (till.begin_load, till.credit),
        (till.begin_purchase, till.debit),
    ):
        till.open()
        begun = begin(5)
        till.desk(between)
        if "A404000F" in between or "3F00" in between:
            till.open()
        assert till.desk(complete(begun)) == "6985"


def test_ssse_3_10_get_response_does_not_end_it(tills):
    contact = tills(link="t0")
    desk = contact.desk
    desk.sw("00A4040006 D15600000503")
    assert desk.pin() == "9000"
    assert desk(contact.initialize(0, 5)) == "6110"
    begun = bytes.fromhex(desk("00C0000008") + desk("00C0000008"))
    assert begun[8:10] == b"\x61\x08"
    begun = begun[:8] + begun[10:]
    load = purse.Transaction(5, 1, TERMINAL, MOMENT)
    key = purse.load_key(contact.keys["DLK"], begun[8:12], 0)
    assert desk("00C0000000") == "6F00"
    mac2 = purse.load_mac2(key, load).hex()
    assert desk("805200000B" + MOMENT.hex() + mac2) == "6104"
    tac = purse.load_tac(contact.keys["DTK"], 5, 0, load)
    assert desk("00C0000004") == tac.hex().upper() + "9000"


@pytest.mark.parametrize("asked", ["00C0000108", "00C0000008", "0084", ""])
def test_ssse_3_10_what_is_no_command_does_not_end_it(till, asked):
    """GET RESPONSE for nothing, and bytes that are too few."""
    load = till.begin_load(5)
    till.desk(asked)
    assert till.desk(till.credit(load))[-4:] == "9000"


def test_ssse_3_10_a_refused_initialisation_ends_the_earlier_one(till):
    load = till.begin_load(5)
    assert till.desk(till.initialize(1, 5)) == "9401"
    assert till.desk(till.credit(load)) == "6985"


def test_ssse_3_10_reset_ends_it(till):
    load = till.begin_load(5)
    till.desk.reset()
    till.open()
    assert till.desk(till.credit(load)) == "6985"


# ---- GET TRANSACTION PROVE ---------------------------------------------------------------------


def test_pse_8_prove_after_a_reset(till):
    """A terminal that got no answer learns what it missed, without the PIN."""
    till.load(100)
    debit = till.begin_purchase(30)
    answer = till.desk.data(till.debit(debit))
    till.desk.reset()
    till.open(pin="")
    assert till.prove(5, debit.sequence) == answer[8:] + answer[:8] + "9000"
    assert till.prove(5, debit.sequence + 1) == "9406"
    assert till.prove(1, 0) == "9406"
    till.open()
    till.begin_purchase(30)
    assert till.prove(5, debit.sequence + 1) == "9406"  # only begun
    assert till.prove(5, debit.sequence) == answer[8:] + answer[:8] + "9000"


# ---- blocks and damage --------------------------------------------------------------------------


@pytest.mark.parametrize(("header", "sw"), [("841E0000", "6985"), ("841E0001", "9303")])
def test_ssse_4_8_a_blocked_application(tills, header, sw):
    till = tills().open()
    medical = next(df for df in Profile.load("v2").ssse.directories if df.fid == 0xDF04)
    desk = till.desk
    assert desk.prove(0x83, medical.key(0x0D, 0x83).value) == "9000"
    stk = medical.key(0x07, 0x82).value
    assert desk(desk.protected(header, stk, desk.challenge())) == "9000"
    for apdu in (till.initialize(0, 1), till.initialize(1, 1), CREDIT, DEBIT, "805C000104"):
        assert desk(apdu) == sw


@pytest.mark.parametrize("at", [0, 1, 14, 24, 30])
def test_ssse_2_4_a_damaged_account(till, at):
    till.load(5)
    card = till.desk.card
    image = bytearray(card.image)
    image[file_address(image, 0xEF81) + at] ^= 0x04
    till = Till(Desk(Card(bytes(image))), till.keys).open()
    assert till.prove(1, 0) == "6581"
    for apdu in (till.initialize(0, 1), till.initialize(1, 1), "805C000104"):
        assert till.desk(apdu) == "6581"


@pytest.mark.parametrize("change", [{"ssse.df.DF04.ef.EF81.size": 30}])
def test_ssse_2_4_files_of_another_shape_are_no_account(tills, change):
    till = tills(change).open()
    assert till.desk("805C000104") == "6985"

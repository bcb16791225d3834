"""One command of each kind under power loss, exhaustively (cos 1.3 T1-T3, 9 point 3).

Each case prepares an environment that has an owner, then tears one command in it.
"""

import pytest
from cos_walk import CMK, EMK_S2, walked
from tear_bench import (
    CYCLIC,
    FIXED,
    INTERNAL,
    KEYS,
    TLV,
    TRANSPARENT,
    VARIABLE,
    Bench,
    Ef,
    Owner,
    command,
    created,
    deleted,
    extents,
    owned_bench,
)

from sscard.iso.apdu import Command
from sscard.testing.trial import Step

pytestmark = pytest.mark.tear

EMK = Owner(EMK_S2)
NEXT_EMK = bytes.fromhex("544553542D53454D4B2D4E4558542D33")
UK = b"TEST-UK04-CARD-1"
NEXT_UK = b"TEST-UK04-CARD-2"
STK = b"TEST-STK2-CARD-1"
AMK = b"TEST-AMK0-CARD-1"

UK_HEADER = "0D0401003304 0000 8F00 0110".replace(" ", "")
STK_HEADER = "0702 01 00 FFFF 0000 8F00 0110".replace(" ", "")
COUNTED_STK_HEADER = "0702 01 00 88FF 0000 8F00 0110".replace(" ", "")
PIN_HEADER = "010001003301 0000 8F00 0103".replace(" ", "")
MASTER_HEADER = "00000{version}00880F 0000 8F00 0110".replace(" ", "")

SELECT_ADF = Step(bytes.fromhex("00A4040006D15600000501"))


@pytest.fixture
def bench():
    return owned_bench()


ADF = created(bytes.fromhex("8201388302DF018406D15600000501810300100086068F008F008F00"))
ADF_KEYS = Ef(KEYS, 0xEF80, record=(40, 3), access="8F00FFFF")


# --- CREATE FILE, DELETE FILE ------------------------------------------------------------------

FILES = {
    "transparent in one page": Ef(TRANSPARENT, 0xEF11, 8),
    "transparent over pages": Ef(TRANSPARENT, 0xEF11, 300),
    "fixed over pages": Ef(FIXED, 0xEF11, record=(40, 9)),
    "variable over pages": Ef(VARIABLE, 0xEF11, 400, (40, 9)),
    "TLV over pages": Ef(TLV, 0xEF11, 200, (40, 9)),
    "cyclic over pages": Ef(CYCLIC, 0xEF11, record=(23, 10)),
    "internal over pages": Ef(INTERNAL, 0xEF11, 500),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("ground", ["on fresh ground", "on old ground"])
def test_cos_5_2_create_file(kind, ground, bench, tears):
    """On old ground the free pages must be written (T3), and old headers lie beyond the end."""
    if ground == "on old ground":
        bench.given(
            ADF, SELECT_ADF, *(Ef(FIXED, 0xEE00 + n, record=(16, 9)).create() for n in range(5))
        )
        bench.given(deleted(0xDF01))
    result = tears(bench.when(FILES[kind].create()))
    assert len(result.states) == 2


def test_cos_5_2_create_directory_and_its_key_file(bench, tears):
    assert len(tears(bench.when(ADF)).states) == 2
    bench.given(ADF)
    bench.session = (*bench.session, SELECT_ADF)
    tears(bench.when(ADF_KEYS.create()))
    tears(bench.when(Ef(FIXED, 0xEF11, record=(40, 9)).create()))


def test_cos_2_5_a_new_end_of_chain_hides_the_headers_behind_it(bench, tears):
    """The new file ends exactly where an old, live header begins."""
    inner = Ef(TRANSPARENT, 0xEF12, 24)
    bench.given(ADF, SELECT_ADF, inner.create(), Ef(TRANSPARENT, 0xEF13, 24).create())
    stale = bench.file(0xEF12).address
    bench.given(deleted(0xDF01))
    assert bench.snapshot.image[stale] == 0xA5
    trial = bench.when(Ef(TRANSPARENT, 0xEF14, 24).create())
    tears(trial)
    assert trial.after[stale] == 0xFF


def test_cos_2_4_create_to_the_last_byte_of_the_extent(bench, tears):
    """There is no room left for an end of chain, and none is written."""
    tree = bench.tree
    tears(bench.when(Ef(TRANSPARENT, 0xEF11, tree.limit - tree.top - 48).create()))
    tears(bench.when(Ef(FIXED, 0xEF11, record=(100, 200)).create()), only=range(0, 999, 37))


@pytest.mark.parametrize(
    "doomed", ["the last", "one between", "a directory", "a directory between"]
)
def test_cos_2_4_delete_file(doomed, bench, tears):
    bench.given(Ef(FIXED, 0xEF11, record=(40, 5)).create(), ADF)
    bench.given(SELECT_ADF, ADF_KEYS.create(), Ef(TRANSPARENT, 0xEF12, 100).create())
    if doomed != "a directory":
        bench.given(Ef(CYCLIC, 0xEF13, record=(40, 5)).create())
    fid = {"the last": 0xEF13, "one between": 0xEF11}.get(doomed, 0xDF01)
    assert len(tears(bench.when(deleted(fid))).states) == 2


def test_cos_5_1_create_and_delete_with_a_mac(bench, tears):
    """The try of the master key is spent and restored before the file appears or goes."""
    plain = Command.parse(FILES["cyclic over pages"].create().apdu)
    create = EMK.protected(plain._replace(cla=0x84))
    assert len(tears(bench.when(create)).states) == 4
    bench.given(create)
    delete = EMK.protected(Command(0x84, 0xE4, 0, 0, bytes.fromhex("EF11")))
    assert len(tears(bench.when(delete)).states) == 4


# --- WRITE KEY ---------------------------------------------------------------------------------


def test_cos_4_3_install_and_replace_a_key(bench, tears):
    """Neither the old nor the new key stays in the ring, and the old one nowhere."""
    install = EMK.writes(UK_HEADER, UK)
    assert len(tears(bench.when(install), secrets=(UK,)).states) == 4
    bench.given(install)
    replace = bench.when(EMK.writes(UK_HEADER, NEXT_UK, replace=True))
    tears(replace, secrets=(UK, NEXT_UK))
    assert UK in replace.before
    assert UK not in replace.after


def test_cos_4_1_replace_a_master_key(bench, tears):
    replace = EMK.writes(MASTER_HEADER.format(version=3), NEXT_EMK, replace=True)
    tears(bench.when(replace), secrets=(EMK_S2, NEXT_EMK))


def test_cos_4_3_a_master_key_of_an_adf(bench, tears):
    bench.given(ADF, SELECT_ADF, ADF_KEYS.create())
    bench.session = (*bench.session, SELECT_ADF)
    tears(bench.when(EMK.writes(MASTER_HEADER.format(version=1), AMK)), secrets=(AMK,))


# --- UPDATE, APPEND ----------------------------------------------------------------------------


def test_cos_2_2_update_binary_over_five_pages(bench, tears):
    bench.given(Ef(TRANSPARENT, 0xEF11, 600).create())
    offset = -bench.file(0xEF11).body % 64 + 63
    data = bytes(range(1, 255)) + b"\x55"
    bench.session = (*bench.session, command("00A4020002EF11"))
    update = bench.when(Step(Command(0, 0xD6, offset >> 8, offset & 0xFF, data).build()))
    result = tears(update)
    assert len(result.pages) == 5
    bench.given(update.step)
    again = Command(0, 0xD6, offset >> 8, offset & 0xFF, data[::-1]).build()
    assert len(tears(bench.when(Step(again))).pages) == 5


def test_cos_2_2_records_of_every_kind(bench, tears):
    bench.given(
        Ef(FIXED, 0xEF11, record=(40, 3)).create(),
        Ef(VARIABLE, 0xEF12, 100, (40, 9)).create(),
        Ef(TLV, 0xEF13, 100, (40, 9)).create(),
        Ef(CYCLIC, 0xEF14, record=(40, 3)).create(),
    )
    session = bench.session
    for fid, first, second in (
        (0xEF11, b"\x11" * 40, b"\x12" * 40),
        (0xEF12, b"\x21" * 20, b"\x22" * 20),
        (0xEF13, b"\x05\x12" + b"\x31" * 18, b"\x05\x12" + b"\x32" * 18),
        (0xEF14, b"\x41" * 40, b"\x42" * 40),
    ):
        bench.session = (*session, command(f"00A4020002{fid:04X}"))
        append = Step(Command(0, 0xE2, 0, 0, first).build())
        tears(bench.when(append))
        bench.given(append)
        number, mode = (0, 3) if fid == 0xEF14 else (1, 4)
        tears(bench.when(Step(Command(0, 0xDC, number, mode, second).build())))


def test_cos_2_2_a_cyclic_file_goes_round(bench, tears):
    bench.given(Ef(CYCLIC, 0xEF14, record=(40, 3)).create())
    bench.session = (*bench.session, command("00A4020002EF14"))
    for n in range(5):
        append = Step(Command(0, 0xE2, 0, 0, bytes((n,)) * 40).build())
        tears(bench.when(append))
        bench.given(append)


# --- proofs ------------------------------------------------------------------------------------


def tries(bench: Bench, result, slot: int) -> list[int]:
    """The counter of a key of the SSSE in every state a command goes through."""
    body = bench.file(0xEF80).body
    return [state.image[body + 40 * slot + 13] for state in result.states]


def test_cos_4_7_external_authenticate(bench, tears):
    bench.given(EMK.writes(UK_HEADER, UK))
    uk = Owner(UK)
    assert tries(bench, tears(bench.when(uk.proof(4))), 1) == [3, 2, 3]
    for left in (2, 1, 0):
        wrong = uk.proof(4, good=False)
        assert tries(bench, tears(bench.when(wrong, f"63C{left}")), 1) == [left + 1, left]
        bench.given(wrong, answers=f"63C{left}")
    refused = bench.when(uk.proof(4), "6983")
    assert not refused.operations


def test_ssse_3_7_verify(bench, tears):
    bench.given(EMK.writes(PIN_HEADER, bytes.fromhex("123456")))
    right, wrong = command("0020000003123456"), command("0020000003123457")
    assert tries(bench, tears(bench.when(right)), 1) == [3, 2, 3]
    assert tries(bench, tears(bench.when(wrong, "63C2")), 1) == [3, 2]
    bench.given(wrong, answers="63C2")
    assert tries(bench, tears(bench.when(right)), 1) == [2, 1, 3]


def test_cos_6_1_a_wrong_mac_under_a_master_key(bench, tears):
    result = tears(bench.when(EMK.act(0x1C, good=False), "6988"))
    assert tries(bench, result, 0) == [8, 7]


@pytest.mark.parametrize("header", [STK_HEADER, COUNTED_STK_HEADER], ids=["uncounted", "counted"])
def test_cos_6_1_the_mac_of_a_protected_update(header, bench, tears):
    """The third wrong MAC in a row blocks; a right one before it restores the counter."""
    bench.given(
        EMK.writes(header, STK), Ef(TRANSPARENT, 0xEF11, 40, access="000000000000 0082").create()
    )
    bench.session = (*bench.session, command("00A4020002EF11"))
    update = Command(0x04, 0xD6, 0, 0, b"\x01\x02\x03")
    right, wrong = Owner(STK).protected(update), Owner(STK).protected(update, good=False)
    address = extents(bench.snapshot.image)[1].start * 64

    def mac_left(result) -> list[tuple[int, int]]:
        return [(s.image[address + 11], s.image[address + 10]) for s in result.states]

    spent = header == COUNTED_STK_HEADER
    tears(bench.when(right))
    for left in (2, 1):
        failure = mac_left(tears(bench.when(wrong, "6988")))
        assert failure == [(left + 1, 0)] * (1 + spent) + [(left, 0)]
        bench.given(wrong, answers="6988")
    failure = mac_left(tears(bench.when(wrong, "9303")))
    assert failure == [(1, 0)] * (1 + spent) + [(0, 2)]
    restored = mac_left(tears(bench.when(right)))
    assert restored == [(1, 0)] * (1 + 2 * spent) + [(3, 0), (3, 0)]


# --- life cycle --------------------------------------------------------------------------------


@pytest.mark.parametrize(("ins", "state"), [(0x1C, 7), (0xE6, 0xFF)], ids=["end", "terminate"])
def test_cos_5_1_end_personalisation_and_terminate(ins, state, bench, tears):
    result = tears(bench.when(EMK.act(ins)))
    header = extents(bench.snapshot.image)[1].start * 64
    assert [one.image[header + 3] for one in result.states] == [3, 3, 3, state]


def test_cos_5_1_erase_an_environment(bench, tears):
    """Its keys are gone with it; the CMK acts again."""
    bench.given(EMK.writes(UK_HEADER, UK), Ef(FIXED, 0xEF11, record=(40, 5)).create())
    erase = bench.when(EMK.act(0x0E))
    tears(erase, secrets=(UK, EMK_S2))
    assert UK not in erase.after
    assert EMK_S2 not in erase.after


def test_cos_5_1_erase_the_mf(tears):
    cmk = Owner(CMK)
    bench = Bench(walked("7"), cmk.proof())
    tears(bench.when(cmk.act(0x0E)))

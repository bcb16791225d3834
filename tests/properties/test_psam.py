"""Whatever a terminal sends it, a PSAM keeps its keys and never repeats a number (cos 7.2, 7.3).

Random commands, legal and illegal, on the finished PSAM of the sample card. Checked after every
one: no answer has a key or a key led down in it, a temporary key serves only what NEXT allows,
the transaction number grows by one with each MAC1 and never otherwise, the image stays sound.
"""

from functools import lru_cache

from hypothesis import given, settings
from hypothesis import strategies as st

from sscard.inspect import fsck
from sscard.keys.diversify import chain
from sscard.perso.psam import PsamProfile
from sscard.sample import sample_psam

CARD, CITY = bytes.fromhex("8649999900000001"), b"999901sx"
SELECT = bytes.fromhex("00A4040006D15600000590")
MF = bytes.fromhex("00A40000023F00")
EIGHT = bytes.fromhex("0102030405060708")
BLOCKED, NUMBER = bytes.fromhex("6983"), bytes.fromhex("00B0990004")


@lru_cache(maxsize=1)
def secrets():
    """Every key of the PSAM, and what each becomes for the sample card."""
    profile = PsamProfile.load()
    found = {key.value for key in (*profile.masters, *profile.maintenance)}
    for key in profile.keys:
        path = (b"999900sh", CITY, CARD)[3 - (key.usage >> 5) :]
        found |= {chain(key.algorithm, key.value, path[:depth]) for depth in range(len(path) + 1)}
    return [value[:8] for value in found] + [value[8:] for value in found]


def command(head, data=b""):
    return bytes.fromhex(head) + (bytes((len(data),)) + data if data else b"")


names = st.sampled_from([(key.usage, key.id) for key in PsamProfile.load().keys])
odd = st.tuples(st.integers(0, 255), st.integers(0, 255))
factors = st.sampled_from([b"", CARD, CARD + CITY, CARD + CITY + b"999900sh"])
blocks = st.integers(1, 4).map(lambda count: EIGHT * count) | st.binary(min_size=1, max_size=40)
debit = bytes.fromhex("A1B2C3D40005000003E80620240315103000")


def init(name, data):
    return st.builds(
        lambda name, data: bytes.fromhex(name[0]) + bytes((*name[1], len(data))) + data,
        st.tuples(st.just(name), names | odd),
        data,
    )


COMMANDS = st.one_of(
    init("BFDE", factors.map(lambda path: path + EIGHT)),
    init("801A", factors.filter(bool)),
    st.builds(
        lambda mode, data: command(f"80FA{mode:02X}00", data),
        st.sampled_from([0, 1, 2, 3, 5, 7]) | st.integers(0, 255),
        blocks,
    ),
    st.builds(
        lambda version, path: command("80700000", debit + bytes((version, 0)) + path),
        st.sampled_from([1, 1, 1, 2]),
        factors,
    ),
    st.builds(lambda mac: command("80720000", mac), st.binary(min_size=4, max_size=4)),
    st.sampled_from([SELECT, MF, NUMBER, bytes.fromhex("0084000008"), bytes.fromhex("00C0000000")]),
    st.builds(lambda data: command("84D40000", data), st.sampled_from([bytes(28), EIGHT * 3])),
    st.builds(lambda fid: bytes.fromhex("00A4020002") + fid, st.binary(min_size=2, max_size=2)),
    st.builds(
        lambda ins, p1, p2, rest: bytes((0, ins, p1, p2)) + rest,
        st.sampled_from([0xB0, 0xB2, 0xD6, 0xDC, 0xE2, 0x82]),
        st.integers(0, 255),
        st.integers(0, 255),
        st.binary(max_size=12),
    ),
    st.binary(max_size=24),
)


@settings(max_examples=150)
@given(sent=st.lists(COMMANDS, min_size=1, max_size=24))
def test_cos_7_3_nothing_leaks_and_no_number_comes_twice(sent):
    psam = sample_psam()
    session = psam.power_on()
    session.transmit(SELECT)
    number = 0
    for apdu in sent:
        answer = session.transmit(apdu)
        assert len(answer) >= 2
        assert not [value for value in secrets() if value in answer], apdu.hex()
        if apdu[:2] == b"\x80\x70" and answer[-2:] == b"\x90\x00":
            assert int.from_bytes(answer[:4], "big") == number + 1
            number += 1
    session = psam.power_on()
    session.transmit(SELECT)
    assert session.transmit(NUMBER) == number.to_bytes(4, "big") + b"\x90\x00"
    assert not fsck(psam.image)


@settings(max_examples=60)
@given(macs=st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=14))
def test_cos_7_3_ten_wrong_mac2_in_a_row_and_no_debit_any_more(macs):
    psam = sample_psam()
    session = psam.power_on()
    session.transmit(SELECT)
    for count, mac in enumerate(macs):
        answer = session.transmit(command("80700000", debit + b"\x01\x00"))
        if count >= 10:
            assert answer == BLOCKED
            continue
        assert answer[-2:] == b"\x90\x00"
        assert session.transmit(command("80720000", mac)).hex() == "9302"

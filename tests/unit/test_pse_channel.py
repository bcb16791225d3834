"""pse-pboc 9.1, 9.2: the secure channel of personalisation, in every state and at every level."""

from functools import cache
from random import Random

import pytest
from card_images import without_ring
from hypothesis import given, settings
from hypothesis import strategies as st
from pse_desk import ARQC, GPO, PIN_OK, PSE, Desk, before, cid, data_file, debit_card
from pse_desk import owner_authenticates as owner

from sscard.apps.pse.grouping import without_padding
from sscard.cos.objects import KeyType
from sscard.inspect import fsck
from sscard.iso import tlv
from sscard.iso.apdu import Command
from sscard.keys import cps
from sscard.keys.padding import pad80, pad80_if_needed
from sscard.perso.cps import HOST_RANDOM, by_dgi, card_dgis, host_session
from sscard.perso.profile import Profile
from sscard.sample import new_card

INITIALIZE = "8050000008000102030405060700"
FIRST = "initialize update of DF01"
PROFILE = Profile.load("pboc")
CHANNEL = PROFILE.pse.channel


def desk(level="mac", until=FIRST, **options):
    values = {"pse.channel.level": level} | {f"options.{k}": v for k, v in options.items()}
    return before(until, perso="cps", options=values)


def channel_of(level):
    return Profile.load("pboc", {"pse.channel.level": level}).pse.channel


def opened(level="mac", **options):
    """A desk with an open channel, and the host's end of it."""
    here = desk(level, **options)
    answer = bytes.fromhex(here.data(INITIALIZE))
    session, command = host_session(channel_of(level), answer, HOST_RANDOM)
    assert here.sw(command.build().hex()) == "9000"
    session.encrypts_icv = options.get("icv_encryption") == "on"
    return here, session


def send(here, session, data, *, block=0, p1=0):
    command = Command(0x80, 0xE2, p1, block, bytes.fromhex(data))
    return here.sw(session.protected(command).build().hex())


# ---- opening it ----------------------------------------------------------------------------------


def test_pse_9_1_initialize_update_counts_channels_that_were_opened():
    here = desk()
    assert here.data(INITIALIZE)[24:28] == "0001"
    first = here.data(INITIALIZE)
    assert first[24:28] == "0001"
    _, command = host_session(CHANNEL, bytes.fromhex(first), HOST_RANDOM)
    assert here.sw(command.build().hex()) == "9000"
    assert here.data(INITIALIZE)[24:28] == "0002"
    here.reset()
    here.select()
    assert here.data(INITIALIZE)[24:28] == "0002"


def test_pse_9_1_kmc_version_in_p1():
    here = desk()
    assert here.data(INITIALIZE.replace("805000", "805001"))[20:22] == "01"
    assert here.sw(INITIALIZE.replace("805000", "805002")) == "6A88"
    assert here.sw(INITIALIZE.replace("80500000", "80500001")) == "6A86"
    assert here.sw("8050000007000102030405") == "6700"


def test_pse_9_without_its_keys_or_its_file_there_is_no_channel():
    without_keys = before("store")
    assert without_keys.sw(INITIALIZE) == "6A88"
    without_file = desk(until="create EF90")
    without_file.select()
    assert without_file.sw(INITIALIZE) == "6A88"


def test_pse_9_only_while_owned():
    here = Desk(new_card("pboc", perso="cps"))
    here.select()
    assert here.sw(INITIALIZE) == "6D00"
    assert here.sw("8482010010" + "00" * 16) == "6E00"
    here.data(PSE)
    assert here.sw(INITIALIZE) == "6D00"


def test_pse_9_1_order_of_checks_of_external_authenticate():
    here = desk()
    assert here.sw("8482010010" + "00" * 16) == "6985"
    for wrong in ("8482020010" + "00" * 16, "8482010110" + "00" * 16):
        assert here.sw(wrong) == "6A86"
    assert here.sw("848201000F" + "00" * 15) == "6700"
    good = host_session(CHANNEL, bytes.fromhex(here.data(INITIALIZE)), HOST_RANDOM)[1].build()
    image = here.card.image
    assert here.sw((good[:5] + bytes(8) + good[13:]).hex()) == "6300"
    assert here.sw(good.hex()) == "6985"
    good = host_session(CHANNEL, bytes.fromhex(here.data(INITIALIZE)), HOST_RANDOM)[1].build()
    assert here.sw((good[:-1] + bytes((good[-1] ^ 1,))).hex()) == "6988"
    assert here.sw(good.hex()) == "6985"
    assert here.card.image == image
    other = good[:2] + b"\x03" + good[3:]
    here.data(INITIALIZE)
    assert here.sw(other.hex()) == "6300"


def test_pse_9_1_a_select_ends_the_channel():
    here, session = opened()
    here.select()
    assert send(here, session, "0D01049F580103") == "6982"
    here, session = opened()
    here.data(INITIALIZE)
    assert send(here, session, "0D01049F580103") == "6982"


def test_pse_9_1_the_sequence_counter_ends():
    here = desk()
    pages = here.power.kernel.current
    body = pages.directory.child(0xEF90).body
    here.card.eeprom.poke(body, b"PB\x01\xff" + bytes(20) + b"\xff\xfd" + b"\xff" * 6 + b"\0\0")
    answer = here.data(INITIALIZE)
    assert answer[24:28] == "FFFE"
    good = host_session(CHANNEL, bytes.fromhex(answer), HOST_RANDOM)[1]
    assert here.sw(good.build().hex()) == "9000"
    assert here.sw(INITIALIZE) == "6985"


# ---- inside --------------------------------------------------------------------------------------


def test_pse_9_1_a_wrong_mac_ends_the_channel():
    here, session = opened()
    command = session.protected(Command(0x80, 0xE2, 0, 0, bytes.fromhex("0D01049F580103")))
    broken = command._replace(data=command.data[:-1] + bytes((command.data[-1] ^ 1,)))
    assert here.sw(broken.build().hex()) == "6988"
    assert here.sw(command.build().hex()) == "6982"


def test_pse_9_1_option_cps_mac_error():
    here, _ = opened(cps_mac_error="6982")
    assert here.sw("84E200000D" + "00" * 13) == "6982"
    here, _ = opened()
    assert here.sw("84E200000D" + "00" * 13) == "6988"
    here, _ = opened()
    assert here.sw("84E2000003" + "00" * 3) == "6988"


def test_pse_9_1_the_chain_goes_on_after_a_refusal():
    """The MAC was right: the host's chain has moved, and so has the card's."""
    here, session = opened()
    assert send(here, session, "9103020000") == "6A88"
    assert send(here, session, "0D01049F580103", block=1) == "6A86"
    assert send(here, session, "0D01049F580103") == "9000"
    assert send(here, session, "0D01049F580104", block=1) == "9000"


@pytest.mark.parametrize("level", ["none", "mac", "mac_enc"])
def test_pse_9_1_the_class_follows_the_level(level):
    here, session = opened(level)
    plain, protected = "80E20000070D01049F580103", "84E200000F0D01049F580103" + "00" * 8
    assert here.sw(plain if session.level else protected) == "6982"
    assert send(here, session, "0D01049F580103") == "9000"


def test_pse_9_1_level_03_hides_what_is_sent():
    here, session = opened("mac_enc")
    command = session.protected(Command(0x80, 0xE2, 0, 0, bytes.fromhex("0D01049F580103")))
    assert command.data[:8] != bytes.fromhex("0D01049F58010380")
    assert len(command.data) == 16
    assert cps.decipher_command(session.keys, command.data[:8]).hex().upper() == "0D01049F580103"
    assert here.sw(command.build().hex()) == "9000"
    here, session = opened("mac_enc")
    odd = Command(0x84, 0xE2, 0, 0, bytes(7 + 8))
    assert here.sw(odd.build().hex()) == "6988"


def test_pse_9_2_a_record_over_several_blocks():
    here, session = opened()
    record = "704E" + "5F204B" + "41" * 75
    whole = "0201" + "FF0050" + record
    assert send(here, session, whole[:60]) == "9000"
    assert send(here, session, whole[60:100], block=1) == "9000"
    assert here.sw("00B2011400") == "6A83"
    assert send(here, session, whole[100:] + "0D01", block=2) == "9000"
    assert here("00B2011400") == record + "9000"
    assert send(here, session, "049F5801", block=3, p1=0x80) == "6A80"
    assert send(here, session, "049F580103", block=3, p1=0x80) == "9000"
    assert here.element("9F58") == "03"
    assert send(here, session, "0D0100", block=4) == "6985"


# ---- secrets -------------------------------------------------------------------------------------


KEYS = "B92C67C30286B8C739D70B1BF6C7D510CD7C080F6C836A418F4A33F652409DB27C03765B26411C9ADB77DF2EA8C0E832"


def enciphered(session, value, *, padded=False):
    plain = bytes.fromhex(value)
    return cps.encipher_value(session.keys, pad80(plain, 8) if padded else plain).hex()


def held(here, kind):
    domain = here.power.kernel.current
    return [key for key in domain.keys.records(domain.directory) if key.type == kind]


def test_pse_9_3_card_keys_and_their_check_values():
    here, session = opened()
    assert send(here, session, "900009" + "75003B392713186EE0") == "6985"
    assert send(here, session, "800030" + enciphered(session, KEYS), p1=0x60) == "9000"
    assert send(here, session, "900009" + "75003B392713186EE1", block=1) == "6A80"
    assert send(here, session, "900009" + "75003B392713186EE0", block=1) == "9000"
    (key,) = held(here, KeyType.ISSUER_AC)
    assert (key.id, key.version, key.tries, key.use, key.change) == (1, 1, 0xFF, 0, 0x8F00)
    other = enciphered(session, KEYS[32:] + KEYS[:32])
    assert send(here, session, "800030" + other, block=2, p1=0x60) == "9000"
    (key,) = held(here, KeyType.ISSUER_AC)
    assert key.value.hex().upper() == KEYS[32:64]


def test_pse_9_3_keys_and_check_values_in_one_block_or_not_at_all():
    here, session = opened()
    both = "800030" + KEYS + "900009" + "75003B392713186EE1"
    assert send(here, session, both) == "6A80"
    assert not held(here, KeyType.ISSUER_AC)
    assert send(here, session, both[:-1] + "0") == "9000"
    assert held(here, KeyType.ISSUER_AC)[0].value.hex().upper() == KEYS[:32]


@pytest.mark.parametrize(
    ("dgi", "value"),
    [("8000", KEYS[:-2]), ("8000", ""), ("8010", "26123456"), ("9000", "75003B")],
)
def test_pse_9_3_secrets_of_another_length(dgi, value):
    here, session = opened()
    send(here, session, "800030" + KEYS)
    length = len(value) // 2
    assert send(here, session, f"{dgi}{length:02X}{value}", block=1) == "6A80"


@pytest.mark.parametrize("first", ["8010", "9010"])
def test_pse_9_3_pin_and_its_tries_in_either_order(first):
    here, session = opened()
    rows = {"8010": "8010082612345" + "6FFFFFFFF", "9010": "9010020205"}
    order = [first, *(set(rows) - {first})]
    for number, dgi in enumerate(order):
        assert send(here, session, rows[dgi], block=number) == "9000"
    (pin,) = held(here, KeyType.PIN)
    assert (pin.tries, pin.tries_left, pin.value.hex()) == (0x52, 2, "26123456ffffffff")


def test_pse_9_3_a_pin_without_tries_has_three():
    here, session = opened()
    assert send(here, session, "80100826123456FFFFFFFF") == "9000"
    (pin,) = held(here, KeyType.PIN)
    assert (pin.tries, pin.tries_left) == (0x33, 3)


def test_pse_9_2_p1_says_what_is_enciphered():
    part = "D212800EE26F5E5D"
    for p1, dgi, value, sw in (
        (0x60, "8201", (part, True), "9000"),
        (0x60, "8201", (part, False), "6A80"),
        (0x20, "8201", (part, True), "9000"),
        (0x20, "0D01", None, "9000"),
        (0x60, "0D01", ("9F5801038000000" + "0", False), "9000"),
        (0x60, "9010", ("0303", True), "9000"),
        (0x00, "8201", None, "9000"),
    ):
        here, session = opened()
        plain = "9F580103" if dgi == "0D01" else part
        data = plain if value is None else enciphered(session, value[0], padded=value[1])
        assert send(here, session, f"{dgi}{len(data) // 2:02X}{data}", p1=p1) == sw, (p1, dgi)
    assert send(here, session, "0D01049F580103", block=1, p1=0x60) == "6A80"


def test_pse_9_2_padding_of_what_is_no_secret():
    """A template of whole blocks has none; its own lengths say so."""
    h = bytes.fromhex
    for dgi, enciphered_value, plain in (
        (0x0101, "7006 5F2002 4180", "7006 5F2002 4180"),
        (0x0101, "7004 5F2001 41 80", "7004 5F2001 41"),
        (0x0101, "7006 5F2003 418000", "7006 5F2003 418000"),
        (0x9010, "0303 800000000000", "0303"),
        (0x9000, "75003B392713186EE0 80000000000000", "75003B392713186EE0"),
        (0x8010, "26123480FFFFFF80", "26123480FFFFFF80"),
        (0x8205, "F3C0749B4DD9E8BB 8000000000000000", "F3C0749B4DD9E8BB"),
    ):
        assert without_padding(dgi, h(enciphered_value)) == h(plain)
    for wrong in ("F3C0749B4DD9E8BB", "80" + "00" * 8 + "0000000000000000"):
        with pytest.raises(ValueError, match="padding"):
            without_padding(0x8205, h(wrong))


# ---- the same card -------------------------------------------------------------------------------


OTHER_KEYS = {
    "pse.df.DF01.oda.private": "modulus",
    "pse.df.DF01.oda.pin": "pin",
    "pse.df.DF01.ef.EF91.size": 900,
}
"""The ICC key as modulus and exponent, and a key of its own for enciphered PINs."""


@cache
def made(perso, level="mac", icv="off", *, other_keys=False):
    values = {"pse.channel.level": level, "icv_encryption": icv}
    return new_card("pboc", values | (OTHER_KEYS if other_keys else {}), perso=perso)


def nodes(card):
    tree = card._mounted().extents[2].tree
    debit = next(n for name, n in tree.directories.items() if name.startswith(b"\xa0"))
    return tree.root, debit


@pytest.mark.parametrize("level", ["none", "mac", "mac_enc"])
@pytest.mark.parametrize("icv", ["off", "on"])
@pytest.mark.parametrize("other_keys", [False, True])
def test_pse_9_both_ways_make_the_same_card(level, icv, other_keys):
    """But for the four keys of the channel and the two counters of channels opened."""
    native = made("native", level, icv, other_keys=other_keys)
    through = made("cps", level, icv, other_keys=other_keys)
    root, debit = nodes(through)
    slots = root.key_file.body + 40
    legal = set(range(slots, slots + 4 * 40))
    for node in (root, debit):
        at = node.child(0xEF90).body + 24
        legal |= {at, at + 1}
        assert through.image[at : at + 2] == b"\x00\x01"
    pairs = zip(without_ring(native.image), without_ring(through.image), strict=True)
    assert {i for i, (a, b) in enumerate(pairs) if a != b} <= legal
    assert fsck(through.image) == []


def test_pse_9_a_key_that_no_dgi_can_say_goes_in_by_write_key():
    """Another key index, a PIN as digits: the card would make others of them."""
    for setting in ({"key.AC.id": "02"}, {"pin.form": "bcd"}, {"key.MAC.kcv": True}):
        profile = Profile.load("pboc", {f"pse.df.DF01.{k}": v for k, v in setting.items()})
        (debit,) = profile.pse.directories
        sent = {dgi for dgi, _ in card_dgis(debit)}
        assert (0x8000 in sent, 0x8010 in sent) == (
            "pin.form" in setting,
            "pin.form" not in setting,
        )
        assert len(by_dgi(debit)) in (1, 3)
        native, through = new_card(profile), new_card(profile, perso="cps")
        adf = nodes(native)[1].key_file
        body = slice(adf.body, adf.body + adf.header.body_length)
        keys = [
            sorted(card.image[body][at : at + 40] for at in range(0, 320, 40))
            for card in (native, through)
        ]
        assert keys[0] == keys[1]


def test_pse_9_cps_needs_a_kmc():
    from sscard.errors import ProfileError

    with pytest.raises(ProfileError, match=r"\[pse.channel\] with a KMC"):
        new_card("walk", perso="cps")
    wrong = Profile.load("pboc", {"pse.channel.kmc": "ascii:ANOTHER-KMC-HERE"})
    here = desk()
    with pytest.raises(ProfileError, match="keys of another KMC"):
        host_session(wrong.pse.channel, bytes.fromhex(here.data(INITIALIZE)), HOST_RANDOM)
    elsewhere = Profile.load("pboc", {"pse.channel.identifier": "621095FFFFF0"})
    with pytest.raises(ProfileError, match="KEYDATA"):
        host_session(elsewhere.pse.channel, bytes.fromhex(here.data(INITIALIZE)), HOST_RANDOM)


def test_pse_9_3_option_risk_data_tags():
    here, session = opened(risk_data_tags="strict")
    for data in ("0D01059F52028240", "0E01049F580103"):
        assert send(here, session, data) == "6A80"
    assert send(here, session, "0D01049F580103" + "0E01059F52028240") == "9000"
    here, session = opened()
    assert send(here, session, "0D01059F52028240" + "0E01049F580103") == "9000"


def test_pse_9_over_a_contact_line():
    """The answer of INITIALIZE UPDATE waits for GET RESPONSE."""
    from sscard.perso.script import carry_out, script
    from sscard.sample import blank_card

    card = blank_card(PROFILE)
    carry_out(script(PROFILE, "cps"), card.power_on("t0").transmit)
    here = Desk(card).begin()
    assert here.sw(PIN_OK) == "9000"
    assert cid(here.ac(ARQC)) == "80"


def test_pse_9_2_the_plain_way_stays_open_and_takes_no_secrets():
    here, _ = opened()
    here.data(PSE)
    here.play(owner())
    here.select()
    assert here.sw("80E20000070D01049F580103") == "9000"
    assert here.sw("80E200010B80100826123456FFFFFFFF") == "6982"
    assert here.sw("84E20001070D01049F580103") == "6982"


def test_ef90_counts_no_channel_of_a_card_personalised_natively():
    card = debit_card()
    at = data_file(card) + 24
    assert card.image[at : at + 2] == b"\xff\xff"
    through = made("cps").fork()
    at = nodes(through)[1].child(0xEF90).body + 24
    Desk(through).begin()
    assert through.image[at : at + 2] == b"\x00\x01"


# ---- properties ----------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.sampled_from((0x57, 0x5A, 0x5F20, 0x9F61, 0x8E)), st.binary(max_size=40))
    ),
    st.sampled_from((0x0101, 0x0D01, 0x9104)),
)
def test_pse_9_2_padding_comes_off_what_it_was_put_on(objects, dgi):
    value = b"".join(tlv.encode(tag, data) for tag, data in objects)
    assert without_padding(dgi, pad80_if_needed(value, 8)) == value


@cache
def before_the_channel(level):
    return desk(level).card.snapshot()


@given(st.sampled_from(("none", "mac", "mac_enc")), st.integers(0, 1 << 32))
@settings(max_examples=25, deadline=None)
def test_pse_9_2_wherever_the_blocks_are_cut_the_card_is_the_same(level, seed):
    """DGIs one after the other, plain in the channel, cut anywhere: in a length, in a key."""
    whole = b"".join(
        dgi.to_bytes(2) + bytes((len(value),)) + value
        for dgi, value in card_dgis(PROFILE.pse.directories[0])
    )
    here = Desk(before_the_channel(level).fork())
    here.select()
    answer = bytes.fromhex(here.data(INITIALIZE))
    session, command = host_session(channel_of(level), answer, HOST_RANDOM)
    assert here.sw(command.build().hex()) == "9000"
    number, random = 0, Random(seed)
    while whole:
        size = random.choice((session.room, random.randint(1, session.room)))
        part, whole = whole[:size], whole[size:]
        p1 = 0 if whole else 0x80
        assert send(here, session, part.hex(), block=number & 0xFF, p1=p1) == "9000"
        number += 1
    assert here.sw(GPO) == "9000"
    at = nodes(here.card)[1]
    finished = made("native")
    for fid in (0xEF01, 0xEF02, 0xEF03, 0xEF91):
        there, other = at.child(fid), nodes(finished)[1].child(fid)
        size = there.header.body_length
        assert (
            here.card.image[there.body : there.body + size]
            == finished.image[other.body : other.body + size]
        )

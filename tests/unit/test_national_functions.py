"""The national reader interface with a PSAM: every function, every generation, every code."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from national_bench import (
    BASIC,
    CARD_INFO,
    CODE,
    DEVICE,
    NUMBER,
    STEP_ONLY,
    Pad,
    ok,
    paid,
    reader,
    sample_card,
    slot,
)
from social_counter import Breaking, terminal

from sscard.errors import SscardError, TransportError
from sscard.nationallib.serve import FUNCTIONS
from sscard.sample import new_card, new_psam, sample_psam
from sscard.states import SOCIAL_STATES, card_in_state
from sscard.terminal import Dialect, LineProtection
from sscard.terminal.national import Code, FixedPad, PinCancelled, PinTimeout, Prompt
from sscard.terminal.national.codes import describe
from sscard.transport.port import CardUnpowered, ReaderAbsent

ADDRESS = "SSSEEF06|08|09|$DF02EF07:01$DF01EF15|40:02|$"


def psam(**settings):
    return new_psam("psam", settings)


def sm4_psam():
    return psam(cards="v3", environment="sm4")


# ---- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_ssse_8_the_basic_result_has_eleven_fields(link):
    assert reader(sample_card(), link=link).iReadCardBas(1) == (0, BASIC)


@pytest.mark.parametrize(
    ("profile", "sam", "code", "version"),
    [
        ("v1", sample_psam, "999901D15600000500000001F0E44726", "1.00"),
        ("v2", sample_psam, "999901D15600000500000001F0E44726", "2.00"),
        ("v2-social-only", sample_psam, "999901D15600000500000001F0E44726", "2.00"),
        ("v3", sm4_psam, "999901D156000005000000017CB444C2", "3.00"),
    ],
)
def test_ssse_0_every_generation_is_read(profile, sam, code, version):
    fields = ok(reader(new_card(profile), psam=sam()).iReadCardBas(1)).split("|")
    assert fields[:4] == ["999901", "999901199001011232", NUMBER, code]
    assert fields[4:9] == ["张测试", BASIC.split("|")[5], version, "20240115", "20340115"]
    assert fields[9:] == ["999901000001", DEVICE, ""]


def test_ssse_2_3_name_and_extension_are_one_name():
    long = "欧阳" * 11
    card = sample_card()
    with terminal(card) as counter:
        counter.accept()
        counter.update("SSSE/EF06", {0x09: long[:15], 0x4E: long[15:]})
    assert ok(reader(card).iReadCardBas(1)).split("|")[4] == long


@pytest.mark.parametrize(
    ("i_type", "contact", "contactless"),
    [(1, True, False), (2, False, True), (3, True, True), (3, False, True), (4, True, True),
     (4, True, False)],
)  # fmt: skip
def test_ssse_8_i_type_says_where_the_card_is_looked_for(i_type, contact, contactless):
    other = new_card("v2", {"ssse.ef.EF05.values.06": "20300101"})
    slots = {"contact": slot(sample_card() if contact else None)}
    slots |= {"contactless": slot(other if contactless else None)}
    fields = ok(reader(None, **slots).iReadCardBas(i_type)).split("|")
    near = contactless and (i_type in (2, 4) or not contact)
    assert fields[8] == ("20300101" if near else "20340115")


def test_ssse_8_file_addresses():
    card = sample_card()
    desk = reader(card)
    data = "SSSEEF06|999901199001011232|李四|$"
    data += "DF02EF07:01|J01|20200101||某单位|$DF01EF15|57=101;58=999901;59=某大学|$"
    assert desk.iWriteCard(1, CARD_INFO, ADDRESS, data) == (0, "")
    assert ok(desk.iReadCard(1, 2, CARD_INFO, ADDRESS)) == data
    row = "DF02EF07|J02|20210101|20220101|另一单位|$"
    assert desk.iWriteCard(1, CARD_INFO, "DF02EF07$", row) == (0, "")
    both = ok(desk.iReadCard(1, 2, CARD_INFO, "DF02EF07$DF02EF07:02$"))
    assert both == row + data.split("$")[1].replace(":01", ":02") + "$"


@pytest.mark.parametrize(
    ("address", "value", "read"),
    [
        ("SSSEEF06|09|4E|", "王|五", None),
        ("3F00EF06|0A|0B|0D|", "2|02|19910203", None),
        ("DF04EF06|90|92|93|", "1|123.45|01", "1|123.45|01"),
        ("DF04EF06|92|", "0.1", "0.10"),
        ("DF04EF15:01", "0102|1", None),
        ("SSSEEF0D|EA|EB|", "P99990100002|999902", None),
        ("DF07EF05|F0|F2|", "甲|20260701", None),
        ("DF01EF16|01|", "00112233", "00112233" + "00" * 292),
        ("SSSEEF05|05|06|", "20260701|20360701", None),
    ],
)
def test_ssse_2_2_values_are_written_and_read_as_text(address, value, read):
    desk = reader(sample_card(), "123456")
    place = address.split("|")[0]
    assert desk.iWriteCard(1, CARD_INFO, f"{address}$", f"{place}|{value}|$") == (0, "")
    found = ok(desk.iReadCard(1, 2, CARD_INFO, f"{address}$"))
    assert found == f"{place}|{read or value}|$"


def test_ssse_2_3_a_photograph_is_hex():
    photo = bytes(range(256)) * 16
    desk = reader(sample_card())
    data = f"SSSEEF08|{photo.hex().upper()}|$"
    assert desk.iWriteCard(1, CARD_INFO, "SSSEEF08$", data) == (0, "")
    assert ok(desk.iReadCard(1, 2, CARD_INFO, "SSSEEF08$")) == data


@pytest.mark.parametrize("protection", LineProtection)
def test_ssse_3_5_updates_travel_as_the_reader_is_told(protection):
    card = new_card("v2", {"ssse.ef.EF05.sm_update": protection.value})
    desk = reader(card, protection=protection)
    data = "SSSEEF05|20260701|$"
    assert desk.iWriteCard(1, CARD_INFO, "SSSEEF05|05|$", data) == (0, "")
    if protection is not LineProtection.NONE:
        bare = reader(card).iWriteCard(1, CARD_INFO, "SSSEEF05|05|$", data)
        assert bare.code == -0x6982


@pytest.mark.parametrize(
    ("auth", "file", "asked"),
    [
        (1, "DF01EF06|28|$", 1),
        (2, "DF01EF06|28|$", 0),
        (1, "DF04EF06|90|$", 1),
        (2, "DF04EF06|90|$", 1),
        (2, "DF05EF05|A0|$", 1),
        (1, "DF07EF05|F0|$", 0),
        (1, "SSSEEF06|09|$", 0),
        (1, "DF01EF06|28|$SSSEEF06|09|$DF02EF06|4C|$", 1),
    ],
)
def test_ssse_4_4_the_pin_is_asked_for_where_the_rule_and_i_auth_type_want_it(auth, file, asked):
    pad = Pad("123456")
    ok(reader(sample_card(), pad=pad).iReadCard(1, auth, CARD_INFO, file))
    assert len(pad.asked) == asked


# ---- the PIN -------------------------------------------------------------------------------------


def test_ssse_3_7_the_pin_is_verified_and_changed():
    card = sample_card()
    pad = Pad("123456", "123456", "246810", "246810", "246810")
    desk = reader(card, pad=pad)
    assert desk.iVerifyPIN(1) == (0, "")
    assert desk.iChangePIN(1) == (0, "")
    assert desk.iVerifyPIN(1) == (0, "")
    assert pad.asked == [Prompt.PIN, Prompt.OLD, Prompt.NEW, Prompt.AGAIN, Prompt.PIN]


@pytest.mark.parametrize("key", ["STK", "PUK"])
def test_ssse_3_7_the_pin_is_reloaded_and_unblocked(key):
    card = card_in_state("pin-blocked", "v2", {"options.pin_sm_key": key})
    dialect = Dialect(pin_sm_key=key)
    desk = reader(card, "123456", "123456", "13572468", "13572468", "13572468", dialect=dialect)
    assert desk.iVerifyPIN(1).code == Code.PIN_LOCKED
    assert desk.iUnblockPIN(1, CARD_INFO) == (0, "")
    assert desk.iVerifyPIN(1) == (0, "")
    assert desk.iReloadPIN(1, CARD_INFO) == (0, "")
    assert desk.iVerifyPIN(1) == (0, "")


# ---- money ---------------------------------------------------------------------------------------


def test_ssse_3_10_a_debit_and_its_record():
    sam = sample_psam()
    desk = reader(paid(sample_card()), *["246810"] * 4, psam=sam)
    first = ok(desk.iDoDebit(1, CARD_INFO, "123.45|0.2|20260701103000|")).split("|")
    assert first[:7] == [*("999901000001", "00000001", "0000", "05", "123.45"),
                         "20260701103000", "376.55"]  # fmt: skip
    assert [len(mac) for mac in first[7:]] == [8, 8, 0]
    second = ok(desk.iDoDebit(1, CARD_INFO, "0.1||20260702000000|")).split("|")
    assert second[:3] == ["999901000001", "00000002", "0001"]
    assert ok(desk.iReadDebitRecord(1)) == (
        "0001|05|999901000001|20260702000000|0.10|376.45|123.55|$"
        "0000|05|999901000001|20260701103000|123.45|376.55|123.45|$"
    )


def test_ssse_8_a_debit_without_a_moment_has_the_readers():
    desk = reader(paid(sample_card()), "246810", clock=lambda: datetime(2027, 1, 2, 3, 4, 5))
    assert ok(desk.iDoDebit(1, CARD_INFO, "1|||")).split("|")[5] == "20270102030405"


@pytest.mark.parametrize("profile", ["v1", "v2", "v2-social-only", "v3"])
def test_ssse_0_every_generation_is_served(profile):
    """Writing, PIN services and a debit with the PSAM of the cards' own generation."""
    card_ = new_card(profile)
    sam = psam(cards=profile, environment="sm4" if profile == "v3" else "3des")
    info = "999901D156000005000000017CB444C2|T0000001X|" if profile == "v3" else CARD_INFO
    digits = ["123456", "246810", "246810", "246810", "13572468", "13572468", "13572468"]
    desk = reader(card_, *digits, "13572468", psam=sam)
    data = "SSSEEF06|李四|$DF02EF07|J01|20200101||某单位|$"
    assert desk.iWriteCard(1, info, "SSSEEF06|09|$DF02EF07$", data) == (0, "")
    assert desk.iReadCard(1, 2, info, "SSSEEF06|09|$DF02EF07$") == (0, data)
    assert desk.iChangePIN(1) == (0, "")
    assert desk.iVerifyPIN(1) == (0, "")
    assert desk.iReloadPIN(1, info) == (0, "")
    assert desk.iUnblockPIN(1, info) == (0, "")
    assert desk.iVerifyPIN(1) == (0, "")
    debit_ = desk.iDoDebit(1, info, "1|0|20260701103000|")
    # 9401: there is no money on it; the account of a card of SM4 keys answers 6A81 (3.10)
    assert debit_.code == (-0x6A81 if profile == "v3" else -0x9401)


# ---- codes ---------------------------------------------------------------------------------------


def raising(error):
    def port():
        raise error

    return port


class Mute:
    """A card that is gone after its first answers."""

    def __init__(self, answers):
        self.inner, self.answers = slot(sample_card())(), answers

    def transmit(self, apdu):
        self.answers -= 1
        if self.answers < 0:
            raise TransportError("the card was pulled out")
        return self.inner.transmit(apdu)

    def reset(self):
        return self.inner.reset()

    def close(self):
        self.inner.close()


def basic(desk):
    return desk.iReadCardBas(1)


def verify(desk):
    return desk.iVerifyPIN(1)


def change(desk):
    return desk.iChangePIN(1)


def reload(desk):
    return desk.iReloadPIN(1, CARD_INFO)


def debit(amount="1.00", moment="20260701103000"):
    return lambda desk: desk.iDoDebit(1, CARD_INFO, f"{amount}|0|{moment}|")


def read(address, auth=2, info=CARD_INFO):
    return lambda desk: desk.iReadCard(1, auth, info, address)


def write(address, data, info=CARD_INFO):
    return lambda desk: desk.iWriteCard(1, info, address, data)


def card(**settings):
    return lambda: new_card("v2", settings)


def state(name):
    return lambda: card_in_state(name, "v2")


def money():
    return paid(sample_card(), 100)


SAMPLE = sample_card
NOWHERE = {"ssse.ef.EF05.values.01": "99990AD15600000500000001F0E44726"}
NO_RID = {"ssse.ef.EF05.values.01": "999901D15600000600000001F0E44726"}
OTHER_IRK = {"ssse.key.IRK.root": "ascii:TEST-OTHER-IRK-1"}
EF = "SSSEEF06|09|$"
NAME = "SSSEEF06|李四|$"

CODES = [
    # code, card, what the holder enters, settings of the reader, the call
    (-1, lambda: new_card("pboc"), (), {}, basic),
    (-1, sample_psam, (), {}, basic),
    (-1, SAMPLE, (), {}, lambda desk: desk.iReadCardBas(5)),
    (-1, SAMPLE, (), {}, lambda desk: desk.iVerifyPIN(0)),
    (-2, lambda: None, (), {}, basic),
    (-2, lambda: None, (), {"contactless": slot(None)}, lambda desk: desk.iReadCardBas(4)),
    (-3, SAMPLE, (), {"contact": raising(CardUnpowered("no answer to reset"))}, basic),
    (-4, SAMPLE, (), {"contact": lambda: Mute(9)}, basic),
    (-5, SAMPLE, (), {"contact": raising(SscardError("no pyscard"))}, basic),
    (-11, SAMPLE, (), {"contact": raising(ReaderAbsent("no reader"))}, basic),
    (-12, SAMPLE, (), {}, lambda desk: desk.iReadCard_HSM_Step2("00" * 16)),
    (-13, SAMPLE, (), {}, lambda desk: desk.iReadCardBas(2)),
    (-14, SAMPLE, (), {}, read("SSSEEF06|09|")),
    (-14, SAMPLE, (), {}, read("SSSEEF6|09|$")),
    (-14, SAMPLE, (), {}, read("SSSEEF06|9|$")),
    (-14, SAMPLE, (), {}, read("SSSEEF06$")),
    (-14, SAMPLE, (), {}, read(EF, 3)),
    (-14, SAMPLE, (), {}, read(EF, info=CODE)),
    (-14, SAMPLE, (), {}, write(EF, "SSSEEF06|李四")),
    (-14, SAMPLE, (), {}, lambda desk: desk.iDoDebit(1, CARD_INFO, "1.00")),
    (-15, card(**{"ssse.ef.EF05.values.07": "T00000011"}), (), {}, basic),
    (-20, card(**NOWHERE), (), {}, basic),
    (-20, card(**NO_RID), (), {}, basic),
    (-20, SAMPLE, (), {}, read(EF, info=f"999901|{NUMBER}|")),
    (-21, card(**OTHER_IRK), (), {}, basic),
    (-21, card(**OTHER_IRK), (), {}, verify),
    (-22, SAMPLE, (), {}, read(EF, info=f"{CODE}|T0000002X|")),
    (-22, SAMPLE, (), {}, read(EF, info=f"{CODE[:-1]}7|{NUMBER}|")),
    (-23, SAMPLE, (), {}, write(EF, "SSSEEF05|李四|$")),
    (-23, SAMPLE, (), {}, write(EF, "SSSEEF06|李四|王五|$")),
    (-23, SAMPLE, (), {}, write(EF, f"SSSEEF06|{'李' * 16}|$")),
    (-23, SAMPLE, (), {}, write("SSSEEF06|0D|$", "SSSEEF06|1990-1-1|$")),
    (-23, SAMPLE, (), {}, write("DF02EF07:02$", "DF02EF07:02|J01|20200101||某单位|$")),
    (-23, SAMPLE, (), {}, write("SSSEEF08$", "SSSEEF08|XY|$")),
    (-23, SAMPLE, (), {}, debit("one")),
    (-23, SAMPLE, (), {}, debit("0.001")),
    (-23, SAMPLE, (), {}, debit("-1")),
    (-23, SAMPLE, (), {}, debit("99999999.00")),
    (-23, SAMPLE, (), {}, debit(moment="2026-07-01")),
    (-24, SAMPLE, (), {"place": "110000"}, reload),
    (-24, SAMPLE, (), {"place": "110000"}, write(EF, NAME)),
    (-31, SAMPLE, (PinCancelled("cancel"),), {}, verify),
    (-31, SAMPLE, ("246810", PinCancelled("cancel")), {}, reload),
    (-32, SAMPLE, (PinTimeout("timeout"),), {}, verify),
    (-33, SAMPLE, ("123",), {}, verify),
    (-33, SAMPLE, ("12345",), {}, verify),
    (-33, SAMPLE, ("1" * 18,), {}, verify),
    (-33, SAMPLE, ("12345A",), {}, verify),
    (-34, SAMPLE, ("246810", "246811"), {}, reload),
    (-34, SAMPLE, ("123456", "246810", "246811"), {}, change),
    (-35, SAMPLE, ("123456",), {}, debit()),
    (-36, SAMPLE, ("654321", "123456", "123456"), {}, change),
    (-51, SAMPLE, ("000000",), {}, verify),
    (-51, SAMPLE, ("000000", "246810", "246810"), {}, change),
    (-51, SAMPLE, ("000000",), {}, read("DF01EF06|28|$", 1)),
    (-52, state("pin-blocked"), ("123456",), {}, verify),
    (-52, state("pin-blocked"), ("123456", "246810", "246810"), {}, change),
    (-2201, SAMPLE, (), {"psam": None}, basic),
    (-2201, SAMPLE, (), {"psam": slot(None)}, basic),
    (-2201, SAMPLE, (), {"psam": raising(ReaderAbsent("no reader"))}, basic),
    (-2201, SAMPLE, (), {"psam": slot(sample_card())}, basic),
    (-2201, SAMPLE, ("123456",), {"psam": None}, verify),
    (-2201, SAMPLE, (), {"psam": None}, read("DF01EF06|28|$")),
    (-2202, lambda: new_card("v3"), (), {}, basic),
    (-2202, card(**{"options.fci_alg_marker": "02"}), (), {}, basic),
    (-2202, SAMPLE, (), {"psam": slot(sm4_psam())}, basic),
    (-2204, SAMPLE, (), {}, lambda desk: desk.iReadCard_HSM_Step1(1, CARD_INFO, EF)),
    (-0x6982, SAMPLE, (), {}, write("DF04EF08$", "DF04EF08|0001|1|999901000001|20260701103000|1|1|1|$")),
    (-0x6A82, SAMPLE, (), {}, read("DF01EF1F|01|$")),
    (-0x6A82, SAMPLE, (), {}, read("DF04EF81|01|$")),
    (-0x6A82, lambda: new_card("v1"), (), {}, read("SSSEEF08$")),
    (-0x6A83, SAMPLE, (), {}, read("SSSEEF06|EA|$")),
    (-0x6A83, SAMPLE, (), {}, read("DF01EF15|40:04|$")),
    (-0x6A83, SAMPLE, (), {}, read("DF02EF07:01$")),
    (-0x6A83, SAMPLE, ("123456",), {}, lambda desk: desk.iReadDebitRecord(1)),
    (-0x6985, state("app-blocked-temporary"), (), {}, basic),
    (-0x9303, state("app-blocked-permanent"), (), {}, basic),
    (-0x6A81, state("card-blocked"), (), {}, basic),
    (-0x6A88, SAMPLE, (), {"psam": slot(psam(cards=""))}, basic),
    (-0x9401, money, ("246810",), {}, debit("1.01")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "make", "entries", "settings", "call"),
    CODES,
    ids=[f"{row[0]}-{at}" for at, row in enumerate(CODES)],
)
def test_ssse_8_every_code_where_its_situation_is(code, make, entries, settings, call):
    answer = call(reader(make(), *entries, **settings))
    assert answer.code == code, answer
    assert answer.out.startswith(describe(code))


def test_ssse_8_v3_without_rk_in_the_psam():
    irk = {"usage": "67", "id": "08", "algorithm": "sm4", "value": bytes(range(0x40, 0x50)).hex()}
    keys = {f"key.IRK.{word}": value for word, value in irk.items()}
    sam = psam(environment="sm4", cards="", **keys)
    answer = reader(new_card("v3"), psam=sam).iReadCardBas(1)
    assert answer.code == Code.PSAM_NO_RK


def test_ssse_8_tries_left_are_told():
    desk = reader(sample_card(), *["000000"] * 7)
    for left in (5, 4, 3, 2, 1, 0):
        assert desk.iVerifyPIN(1) == (-51, f"PIN校验失败，剩余次数{left}次")
    assert desk.iVerifyPIN(1).code == Code.PIN_LOCKED


def test_ssse_8_what_is_wrong_with_data_is_told_before_the_card_is_changed():
    card_ = sample_card()
    desk = reader(card_)
    before = card_.image
    data = "SSSEEF05|20260701|$SSSEEF06|19900231X|$"
    assert desk.iWriteCard(1, CARD_INFO, "SSSEEF05|05|$SSSEEF06|0D|$", data).code == -23
    assert card_.image == before


def test_ssse_8_no_pin_is_asked_for_a_counterfeit():
    pad = Pad("123456")
    assert reader(card(**OTHER_IRK)(), pad=pad).iVerifyPIN(1).code == Code.NOT_GENUINE
    assert pad.asked == []


def test_a_lost_answer_to_the_debit_is_no_response():
    money_ = paid(sample_card())
    desk = reader(None, "246810", contact=lambda: Breaking(slot(money_)(), before=True))
    assert debit()(desk).code == Code.NO_RESPONSE


def test_every_code_of_section_8_is_known_and_tested():
    listed = {*range(-5, 0), *range(-15, -10), *range(-24, -19), *range(-36, -30)}
    listed |= {-41, -42, -51, -52, -2201, -2202, -2203, -2204}
    assert {int(code) for code in Code} == listed | {0}
    assert listed - {row[0] for row in CODES} == STEP_ONLY | {Code.PSAM_NO_RK}


def test_card_and_psam_lose_their_power_after_every_call():
    closed = []

    class Watched:
        def __init__(self, inner, name):
            self.inner, self.name = inner, name

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def close(self):
            closed.append(self.name)
            self.inner.close()

    def watched(card_, name):
        return lambda: Watched(slot(card_)(), name)

    slots = {"contact": watched(sample_card(), "card"), "psam": watched(sample_psam(), "psam")}
    desk = reader(None, "000000", **slots)
    for call in (basic, verify, read("DF99EF99|01|$")):
        call(desk)
        assert closed[0] == "card"
        assert closed in (["card", "psam"], ["card"])
        closed.clear()


STATE_CODES = {
    "pin-blocked": (0, -52),
    "expired": (0, 0),
    "initial-pin": (0, 0),
    "missing-photo": (0, 0),
    "one-try-left": (0, 0),
    "wrong-version": (0, 0),
    "app-blocked-temporary": (-27013, -27013),
    "app-blocked-permanent": (-37635, -37635),
    "card-blocked": (-27265, -27265),
    "wrong-irk": (-21, -21),
    "unpersonalised": (-1, -1),
    "full-log": (0, 0),
}


@pytest.mark.parametrize("name", SOCIAL_STATES)
def test_what_a_card_in_each_state_answers(name):
    desk = reader(card_in_state(name, "v2"), "123456")
    assert (basic(desk).code, verify(desk).code) == STATE_CODES[name]


def test_ssse_4_5_a_card_of_ssf33_keys_is_not_supported():
    assert basic(reader(new_card("v1-ssf33"))).code == -0x6A81


# ---- whatever a program passes -------------------------------------------------------------------

WORDS = st.one_of(
    st.sampled_from(
        [CARD_INFO, ADDRESS, EF, NAME, "SSSEEF08$", "SSSEEF08|00FF|$", "DF04EF06|92|$", "",
         "1.00|0|20260701103000|", "1|0|00010101000000|", "00" * 16, f"{'00' * 16}|",
         "00000001|20260701103000|00000000|", "842400010C" + "00" * 12]
    ),
    st.text(alphabet="SDFEX0123456789|$:;=张\udc80\x00", max_size=30),
)  # fmt: skip
VALUES = {int: st.integers(-1, 6), str: WORDS}
CALLS = st.sampled_from(sorted(FUNCTIONS)).flatmap(
    lambda name: st.tuples(st.just(name), *(VALUES[kind] for kind in FUNCTIONS[name]))
)


@given(st.lists(CALLS, max_size=6))
def test_no_call_raises_whatever_it_is_given(calls):
    with reader(sample_card(), pad=FixedPad("123456", "246810")) as desk:
        for name, *arguments in calls:
            answer = getattr(desk, name)(*arguments)
            assert answer.code <= 0
            assert answer.code == 0 or answer.out

"""The HSM flows of the national reader interface, and what ends them."""

import pytest
from national_bench import (
    BASIC,
    CARD_INFO,
    DEVICE,
    STEP_ONLY,
    Pad,
    desk,
    history_card,
    ok,
    paid,
    reader,
    sample_card,
    slot,
)

from sscard.keys.hierarchy import CARD_KEYS
from sscard.sample import new_card
from sscard.terminal import Dialect, Flavour, KeyNotHeld, SettlementFailed, TerminalError
from sscard.terminal.crypto_source import named_key
from sscard.terminal.national import Code, HsmDesk, Prompt
from sscard.terminal.national.codes import describe
from sscard.terminal.national.key_address import SLOTS, address_of, key_at

TERMINAL = "999901000077"
TWO = "DF01EF06|23|28|$"


def without_psam(card, *entries, **settings):
    return reader(card, *entries, psam=None, **settings)


def basic_flow(counter, hsm):
    """A whole basic read; its result."""
    return ok(counter.iReadCardBas_HSM_Step2(hsm.basic(ok(counter.iReadCardBas_HSM_Step1(1)))))


# ---- the flows -----------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["v1", "v2", "v2-social-only", "v3"])
@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_ssse_5_3_a_basic_read(profile, link):
    hsm = desk(profile)
    counter = without_psam(history_card(profile), link=link, terminal=TERMINAL)
    asked = ok(counter.iReadCardBas_HSM_Step1(3)).split("|")
    third = profile == "v3"
    code = BASIC.split("|")[3] if not third else "999901D156000005000000017CB444C2"
    assert asked[:4] == ["999901", BASIC.split("|")[5], "03" if third else "01", code]
    assert [len(value) for value in asked[4:8]] == [16, 16] + ([16, 16] if third else [0, 0])
    assert asked[8:] == [DEVICE, ""]
    played = hsm.basic("|".join(asked))
    assert len(played) == (66 if third else 33)
    fields = ok(counter.iReadCardBas_HSM_Step2(played)).split("|")
    assert fields[:6] == [*BASIC.split("|")[:3], code, *BASIC.split("|")[4:6]]
    assert fields[6:] == [f"{profile[1]}.00", "20240115", "20340115", TERMINAL, DEVICE, ""]


@pytest.mark.parametrize("profile", ["v1", "v2", "v3"])
def test_ssse_5_3_reading_and_writing(profile):
    hsm = desk(profile)
    counter = without_psam(history_card(profile))
    who = hsm.card_of(basic_flow(counter, hsm))
    info = CARD_INFO if profile != "v3" else "999901D156000005000000017CB444C2|T0000001X|"

    def write(address, data):
        asked = ok(counter.iWriteCard_HSM_Step1(1, info, address))
        assert counter.iWriteCard_HSM_Step2(hsm.authenticate(who, asked), data) == (0, "")
        return asked

    asked = write("SSSEEF06|09|0D|$", "SSSEEF06|李四|19910203|$")
    assert asked.split("|")[:2] == ["03" if profile == "v3" else "01", "009412"]
    asked = write("DF02EF07:01$", "DF02EF07:01|J01|20200101||某单位|$")
    assert asked.split("|")[1] == "000046"
    asked = ok(counter.iReadCard_HSM_Step1(1, info, "DF02EF07:01$"))
    assert asked.split("|")[1] == ("000046" if profile == "v1" else "006435")
    found = counter.iReadCard_HSM_Step2(hsm.authenticate(who, asked))
    assert found == (0, "DF02EF07:01|J01|20200101||某单位|$")
    if profile == "v3":
        asked = ok(counter.iReadCard_HSM_Step1(1, info, "SSSEEF06|09|$"))
        assert asked.split("|")[1] == "004C0A"
        answer = counter.iReadCard_HSM_Step2(hsm.authenticate(who, asked))
        assert answer == (0, "SSSEEF06|李四|$")


def test_ssse_4_4_a_file_that_wants_both_gets_the_pin_in_step_1():
    hsm, pad = desk(), Pad("123456")
    counter = without_psam(history_card(), pad=pad)
    who = hsm.card_of(basic_flow(counter, hsm))
    asked = ok(counter.iReadCard_HSM_Step1(1, CARD_INFO, "DF04EF06|90|93|$"))
    assert pad.asked == [Prompt.PIN]
    assert asked.split("|")[1] == "01822D"
    found = ok(counter.iReadCard_HSM_Step2(hsm.authenticate(who, asked)))
    assert found == "DF04EF06|||$"


@pytest.mark.parametrize("profile", ["v2", "v3"])
@pytest.mark.parametrize("key", ["STK", "PUK"])
@pytest.mark.parametrize("mode", Flavour)
def test_ssse_3_7_a_pin_is_reloaded_and_unblocked(profile, key, mode):
    options = {"options.pin_sm_key": key, "options.sm_mode": mode.value}
    card = history_card(profile, **options)
    info = CARD_INFO if profile == "v2" else "999901D156000005000000017CB444C2|T0000001X|"
    hsm = HsmDesk(desk(profile)._source._vault, flavour=mode)
    dialect = Dialect(pin_sm_key=key, sm_mode=mode)
    digits = ["13572468", "13572468", *["000000"] * 6, "13572468"]
    counter = without_psam(card, *digits, dialect=dialect)
    who = hsm.card_of(basic_flow(counter, hsm))

    asked = ok(counter.iReloadPIN_HSM_Step1(1, info))
    assert asked.split("|")[1] == "009010"
    asked = ok(counter.iReloadPIN_HSM_Step2(hsm.authenticate(who, asked)))
    size = "0C" if profile == "v2" else "14"
    address = "009010" if key == "PUK" else "000009"
    assert asked.split("|")[1] == address
    assert asked.split("|")[3:] == [f"84240001{size}", "13572468", ""]
    command = hsm.command(who, asked)
    assert len(command) == (34 if profile == "v2" else 50)
    assert counter.iReloadPIN_HSM_Step3(command) == (0, "")

    for _ in range(6):
        assert counter.iVerifyPIN(1).code == Code.PIN_WRONG
    asked = ok(counter.iUnblockPIN_HSM_Step1(1, info))
    asked = ok(counter.iUnblockPIN_HSM_Step2(hsm.authenticate(who, asked)))
    assert asked.split("|")[3:] == ["8424000004", "", ""]
    command = hsm.command(who, asked)
    assert len(command) == 18
    assert counter.iUnblockPIN_HSM_Step3(command) == (0, "")
    assert counter.iVerifyPIN(1) == (0, "")


def test_ssse_3_10_a_debit():
    hsm = desk()
    card = paid(history_card())
    counter = without_psam(card, *["246810"] * 3, terminal=TERMINAL)
    who = hsm.card_of(basic_flow(counter, hsm))
    asked = ok(counter.iDoDebit_HSM_Step1(1, CARD_INFO, "123.45|0|20260701103000|"))
    parts = asked.split("|")
    assert parts[:2] == ["01", "000001"]
    assert len(parts[2]) == 8
    assert parts[3:] == ["0000", "00003039", "05", TERMINAL, "20260701103000", ""]
    done = ok(counter.iDoDebit_HSM_Step2(hsm.mac1(who, asked)))
    assert done.split("|")[:7] == [
        *(TERMINAL, "00000001", "0000", "05", "123.45", "20260701103000", "376.55")
    ]
    hsm.settle(done)
    with pytest.raises(SettlementFailed):
        hsm.settle(done)
    assert ok(counter.iReadDebitRecord(1)).split("|")[2:5] == [
        *(TERMINAL, "20260701103000", "123.45")
    ]


# ---- codes ---------------------------------------------------------------------------------------


def basic_2(strings):
    def call(counter):
        ok(counter.iReadCardBas_HSM_Step1(1))
        return counter.iReadCardBas_HSM_Step2(strings)

    return call


def about_r2(counter):
    """Another card's string about the right R2."""
    data = ok(counter.iReadCardBas_HSM_Step1(1)).split("|")[5]
    return counter.iReadCardBas_HSM_Step2(f"{'00' * 8}{data}|")


def genuine(counter):
    """The string for the card that this one says it is."""
    return counter.iReadCardBas_HSM_Step2(desk().basic(ok(counter.iReadCardBas_HSM_Step1(1))))


def files_1(address, writing=False):
    def call(counter):
        step = counter.iWriteCard_HSM_Step1 if writing else counter.iReadCard_HSM_Step1
        return step(1, CARD_INFO, address)

    return call


def files_2(strings):
    def call(counter):
        ok(counter.iReadCard_HSM_Step1(1, CARD_INFO, TWO))
        return counter.iReadCard_HSM_Step2(strings)

    return call


def known(then):
    """First a basic read with the HSM, so that the card has proved itself."""

    def call(counter):
        hsm = desk()
        return then(counter, hsm, hsm.card_of(basic_flow(counter, hsm)))

    return call


def puk_3(command):
    def call(counter, hsm, who):
        asked = ok(counter.iUnblockPIN_HSM_Step1(1, CARD_INFO))
        asked = ok(counter.iUnblockPIN_HSM_Step2(hsm.authenticate(who, asked)))
        return counter.iUnblockPIN_HSM_Step3(command(hsm.command(who, asked)))

    return known(call)


def debit_2(change):
    def call(counter, hsm, who):
        asked = ok(counter.iDoDebit_HSM_Step1(1, CARD_INFO, "1|0|20260701103000|"))
        return counter.iDoDebit_HSM_Step2(change(hsm.mac1(who, asked)))

    return known(call)


def money():
    return paid(history_card())


OTHER_IRK = {"ssse.key.IRK.root": "ascii:TEST-OTHER-IRK-1"}
STEP_CODES = [
    (-12, history_card, (), lambda counter: counter.iReadCardBas_HSM_Step2("00" * 16)),
    (-12, history_card, (), lambda counter: counter.iUnblockPIN_HSM_Step3("8424000004")),
    (-14, history_card, (), files_1("DF01EF06|28|$DF02EF06|4C|$")),
    (-14, history_card, (), files_1("SSSEEF05|05|$SSSEEF0D|EA|$", writing=True)),
    (-21, history_card, (), about_r2),
    (-21, lambda: history_card(**OTHER_IRK), (), genuine),
    (-22, history_card, (), lambda counter: counter.iReadCard_HSM_Step1(
        1, CARD_INFO.replace("01X", "02X"), TWO)),
    (-23, history_card, (), basic_2("00" * 16 + "|")),
    (-23, history_card, (), puk_3(lambda made: "8424000104" + made[10:])),
    (-23, money, ("246810",), debit_2(lambda made: made.replace("2026", "2027"))),
    (-34, history_card, ("246810", "246811"), known(lambda counter, hsm, who:
        counter.iReloadPIN_HSM_Step2(hsm.authenticate(
            who, ok(counter.iReloadPIN_HSM_Step1(1, CARD_INFO)))))),
    (-35, history_card, ("123456",), known(lambda counter, *_:
        counter.iDoDebit_HSM_Step1(1, CARD_INFO, "1|0||"))),
    (-41, history_card, (), basic_2("0" * 31 + "G|")),
    (-41, history_card, (), puk_3(lambda made: "ZZ" + made[2:])),
    (-42, history_card, (), basic_2("00" * 15 + "|")),
    (-42, history_card, (), basic_2("00" * 16 + "|" + "00" * 16 + "|")),
    (-42, history_card, (), basic_2("")),
    (-42, history_card, (), files_2("00" * 17)),
    (-42, history_card, (), puk_3(lambda made: made + "00")),
    (-42, money, ("246810",), debit_2(lambda made: made.replace("|", "0|", 1))),
    (-14, money, ("246810",), debit_2(lambda made: made.split("|")[0])),
    (-2201, history_card, (), lambda counter: counter.iUnblockPIN_HSM_Step1(1, CARD_INFO)),
    (-2201, history_card, (), lambda counter: counter.iVerifyPIN(1)),
    (-2204, history_card, (), files_1("SSSEEF06|09|$")),
    (-2204, history_card, (), files_1("DF05EF05|A0|$")),
    (-25549, history_card, (), files_2("00" * 16)),
    (-27010, history_card, (), files_1("DF04EF08$", writing=True)),
    (-0x6A82, history_card, (), files_1("DF01EF1F|01|$")),
    (-0x6988, history_card, (), puk_3(lambda made: made[:-8] + "00000000")),
    (-0x9302, money, ("246810",), debit_2(lambda made: made[:-9] + "00000000|")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "make", "entries", "call"),
    STEP_CODES,
    ids=[f"{row[0]}-{at}" for at, row in enumerate(STEP_CODES)],
)
def test_ssse_8_every_code_of_a_step(code, make, entries, call):
    answer = call(without_psam(make(), *entries))
    assert answer.code == code, answer
    assert answer.out.startswith(describe(code))


def test_the_codes_of_steps_alone_are_among_them():
    assert {row[0] for row in STEP_CODES} >= STEP_ONLY


@pytest.mark.parametrize("profile", ["v2", "v3"])
def test_ssse_3_8_a_card_that_keeps_one_challenge_says_so(profile):
    """The session factor is the first of two challenges: `challenge_policy = last` has lost it."""
    hsm = desk(profile)
    counter = without_psam(new_card(profile))
    info = CARD_INFO if profile == "v2" else "999901D156000005000000017CB444C2|T0000001X|"
    asked = ok(counter.iReadCardBas_HSM_Step1(1))
    answer = counter.iReadCardBas_HSM_Step2(hsm.basic(asked))
    who = hsm.card_of(asked)
    if profile == "v2":  # only the internal authentication, whose factor the terminal sends
        assert answer.code == 0
        asked = ok(counter.iReadCard_HSM_Step1(1, info, TWO))
        answer = counter.iReadCard_HSM_Step2(hsm.authenticate(who, asked))
    assert answer.code == -0x63CD
    assert "history:4" in answer.out


# ---- what a flow keeps, and what ends it ---------------------------------------------------------


def test_another_call_ends_a_flow():
    hsm = desk()
    counter = without_psam(history_card())
    asked = ok(counter.iReadCardBas_HSM_Step1(1))
    assert counter.iReadCardBas(1).code == Code.NO_PSAM
    assert counter.iReadCardBas_HSM_Step2(hsm.basic(asked)).code == Code.NOT_CONNECTED


@pytest.mark.parametrize("wrong", ["iReadCardBas_HSM_Step2", "iUnblockPIN_HSM_Step2"])
def test_a_step_of_another_flow_ends_it(wrong):
    hsm = desk()
    counter = without_psam(history_card())
    who = hsm.card_of(basic_flow(counter, hsm))
    played = hsm.authenticate(who, ok(counter.iReloadPIN_HSM_Step1(1, CARD_INFO)))
    assert getattr(counter, wrong)(played).code == Code.NOT_CONNECTED
    assert counter.iReloadPIN_HSM_Step2(played).code == Code.NOT_CONNECTED


def test_a_step_is_made_once():
    hsm = desk()
    counter = without_psam(history_card())
    played = hsm.basic(ok(counter.iReadCardBas_HSM_Step1(1)))
    ok(counter.iReadCardBas_HSM_Step2(played))
    assert counter.iReadCardBas_HSM_Step2(played).code == Code.NOT_CONNECTED


def test_the_card_has_power_from_step_to_step_and_no_longer():
    open_ports = []

    class Watched:
        def __init__(self, inner):
            self.inner = inner
            open_ports.append(self)

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def close(self):
            open_ports.remove(self)
            self.inner.close()

    hsm, card = desk(), history_card()
    counter = without_psam(None, contact=lambda: Watched(slot(card)()))
    played = hsm.basic(ok(counter.iReadCardBas_HSM_Step1(1)))
    assert len(open_ports) == 1
    ok(counter.iReadCardBas_HSM_Step2(played))
    assert open_ports == []
    ok(counter.iReadCardBas_HSM_Step1(1))
    assert counter.iReadCardBas_HSM_Step2("").code == Code.CRYPTO_LENGTH
    assert open_ports == []
    ok(counter.iReadCardBas_HSM_Step1(1))
    counter.close()
    assert open_ports == []


def test_ssse_8_a_proof_is_of_one_card():
    """Without a PSAM a PIN is asked for the card that proved itself to the HSM, no other."""
    ours, other = history_card(), new_card("v3")
    here = [ours]

    def contact():
        return slot(here[0])()

    hsm, pad = desk(), Pad(*["123456"] * 3)
    counter = without_psam(None, pad=pad, contact=contact)
    assert counter.iVerifyPIN(1).code == Code.NO_PSAM
    for between, seen in ((None, Code.NO_CARD), (other, Code.NO_PSAM)):
        basic_flow(counter, hsm)
        assert counter.iVerifyPIN(1) == (0, "")
        here[0] = between
        assert counter.iVerifyPIN(1).code == seen
        here[0] = ours
        assert counter.iVerifyPIN(1).code == Code.NO_PSAM
    basic_flow(counter, hsm)
    counter.close()
    assert counter.iVerifyPIN(1).code == Code.NO_PSAM
    assert pad.asked == [Prompt.PIN] * 2


def test_wrong_data_cost_no_try_of_the_key():
    card = history_card()
    counter = without_psam(card)
    ok(counter.iWriteCard_HSM_Step1(1, CARD_INFO, "SSSEEF06|0D|$"))
    before = card.image
    answer = counter.iWriteCard_HSM_Step2("00" * 16, "SSSEEF06|1990-01-01|$")
    assert answer.code == Code.INPUT_ILLEGAL
    assert card.image == before


# ---- addresses and the desk ----------------------------------------------------------------------


def test_ssse_6_every_key_outside_its_card_has_one_address():
    held = [key for key in CARD_KEYS if key.psam]
    addresses = {address_of(key): key for key in held}
    assert len(addresses) == len(held)
    assert all(key_at(address) is key for address, key in addresses.items())
    assert {address[:4] for address in addresses} == {
        f"{slot_:04X}" for slot_ in SLOTS.values()
    } | {"0000"}
    assert address_of(named_key("RK@SSSE")) == "004C0A"


@pytest.mark.parametrize("address", ["", "004C0B", "00000A", "XYZ", "004C0A0A"])
def test_an_address_of_no_key(address):
    with pytest.raises(KeyNotHeld):
        key_at(address)


def test_a_new_pin_and_the_holder_are_not_in_a_repr():
    hsm = desk()
    counter = without_psam(history_card(), "246810", "246810")
    basic = counter.iReadCardBas_HSM_Step2(hsm.basic(ok(counter.iReadCardBas_HSM_Step1(1))))
    asked = ok(counter.iReloadPIN_HSM_Step1(1, CARD_INFO))
    answer = counter.iReloadPIN_HSM_Step2(hsm.authenticate(hsm.card_of(basic.out), asked))
    assert "|246810|" in answer.out
    assert repr(answer) == repr(basic) == "Answer(code=0, out='..')"


def test_a_key_that_never_leaves_its_card_has_no_address():
    with pytest.raises(KeyNotHeld):
        address_of(named_key("DLK@DF04"))


def test_the_desk_refuses_what_is_no_step():
    hsm = desk()
    who = hsm.card_of(BASIC)
    assert who.region == "999901"
    with pytest.raises(TerminalError):
        hsm.basic("999901|0087CF20018649999900000001|")
    with pytest.raises(TerminalError):
        hsm.command(who, "01|000009|0102030405060708|842400010D|123456|")


def test_the_sample_card_is_read_by_hsm_as_it_is():
    assert basic_flow(without_psam(sample_card(), terminal="999901000001"), desk()) == BASIC

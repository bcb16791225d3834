"""Non-interference of what a finished card does: PIN services, account, records, blocks.

NI-1 to NI-14 of cos 3.6 over the commands of ssse-lb002 3.5 to 3.10, on a card of both
environments, and the properties that mean something for a PSAM, which is one domain alone.
The other tests of these properties (test_ni) play with cards in their making.
"""

from random import Random
from types import SimpleNamespace

import pytest
from cos_trace import examples, extents
from hypothesis import given
from hypothesis import strategies as st
from pse_desk import PIN_BAD, PIN_OK, terminal_data
from pse_issuer import Issuer
from sam_desk import CITY, CSN8, SELECT, SamDesk
from ssse_desk import Desk
from ssse_till import MOMENT, TERMINAL, Till

from sscard.card import Card
from sscard.cos.layout import DomainState
from sscard.cos.trace import Alarm, Exchanged
from sscard.keys import session
from sscard.perso.profile import Profile
from sscard.perso.script import personalise
from sscard.sample import blank_card, sample_psam
from sscard.testing.machines import subject
from sscard.testing.tear import sweep
from sscard.testing.trial import Step, record

SSSE, PSE = 1, 2
OTHER = {SSSE: PSE, PSE: SSSE}
RING = set(range(8, 136))
CS = 4
CARD = subject("sample", (("ssse.df.DF01.ef.EF05.sm_update", "enc_mac"), ("ssse.pin.limit", "14")))
ACCOUNT = {"DLK": b"", "DPK": bytes(range(0xD0, 0xE0)), "DTK": bytes(range(0xE0, 0xF0))}
NAMES = {
    SSSE: "00A404000F7378312E73682EC9E7BBE1B1A3D5CF",
    PSE: "00A404000E315041592E5359532E4444463031",
}
DEBIT = "00A4040008A000000333010101"


class Visitor:
    """Plays sessions of both environments; `keys` may be another's, `only` leaves one out."""

    def __init__(self, card, *, only=(SSSE, PSE), keys=None, observe=None):
        self.desk = Desk(card)
        self.only, self.keys = only, keys or CARD.keys
        self.code = 0
        self.log = []
        self.pin = "123456"
        plain = self.desk.power.transmit

        def transmit(raw):
            answer = plain(raw) if observe is None else observe(self, raw, lambda: plain(raw))
            self.log.append((self.code, raw, answer))
            return answer

        self.desk.power = SimpleNamespace(
            transmit=transmit, reset=self.desk.power.reset, kernel=self.desk.power.kernel
        )

    @property
    def card(self):
        return self.desk.card

    def play(self, trace):
        for code, steps in trace:
            if code == 0:
                self.desk.power.reset()
            elif code in self.only:
                self.code = code
                self.desk(NAMES[code])
                for name, *args in steps:
                    getattr(self, name)(*args)
        return self

    def responses(self, code):
        return [answer for at, _, answer in self.log if at == code]

    def extent(self, code):
        pages = extents(self.card.image)[code]
        return self.card.image[pages.start * 64 : pages.stop * 64]

    # --- the social security application

    def go(self, place):
        self.desk(NAMES[SSSE])
        if place != "SSSE":
            self.desk(f"00A4000002{place}")

    def proof(self, place, kid, good):
        answer = bytes.fromhex(self.desk("0084000008"))[:-2]
        challenge = answer if len(answer) == 8 else bytes(8)
        apdu = self.desk.authentication(kid, self.keys[place, kid], challenge)
        self.desk(apdu if good else apdu[:-1] + ("0" if apdu[-1] != "0" else "1"))

    def protected(self, header, place, kid, data="", good=1):
        answer = bytes.fromhex(self.desk("0084000008"))[:-2]
        challenge = answer if len(answer) == 8 else bytes(8)
        key = self.keys[place, kid]
        if data:
            working = session.session_key(0, key, challenge)
            data = session.sm_encrypt(0, working, bytes.fromhex(data)).hex()
        apdu = self.desk.protected(header, key, challenge, data)
        self.desk(apdu if good else apdu[:-8] + "00000000")

    def verify(self, good):
        self.desk(f"0020000003{self.pin if good else '999999'}")

    def change(self, good):
        self.desk(f"805E010007{self.pin if good else '999999'}FF{self.pin}")

    def services(self, p2, good, puk):
        if puk:
            self.proof("SSSE", 6, 1)
        self.protected(f"842400{p2:02X}", "SSSE", 2, self.pin if p2 else "", good)

    def update(self, good, proved):
        self.go("DF01")
        if proved:
            self.proof("DF01", 0x83, 1)
        self.protected("04DC032C", "DF01", 0x82, "0E03" + "A5" * 3, good)

    def append(self, proved):
        self.go("DF02")
        if proved:
            self.proof("DF02", 0x85, 1)
        self.desk(f"00E2003855{'5A' * 0x55}")

    def block(self, ins, good, proved):
        self.go("DF03")
        if proved:
            self.proof("DF03", 0x83, 1)
        self.protected(f"84{ins:02X}0000", "DF03", 0x82, "", good)

    def account(self, amount, good):
        """A purchase of so much, which is more than there is but for 0; balance and proof."""
        self.go("DF04")
        self.desk(f"0020000003{self.pin}")
        answer = bytes.fromhex(self.desk(f"805001010B01{amount:08X}{TERMINAL.hex()}"))
        if len(answer) == 17:
            till = Till(self.desk, ACCOUNT)
            begun = SimpleNamespace(
                random=answer[11:15],
                sequence=int.from_bytes(answer[4:6]),
                transaction=_transaction(amount),
            )
            self.desk(till.debit(begun, good=bool(good)))
        for raw in ("805C000104", "805A0005020000", "00B2014400"):
            self.desk(raw)

    def read(self):
        for raw in ("00B2012C00", "0088000010" + "11" * 16, "80CA00D000", "00B0870004"):
            self.desk(raw)

    # --- the debit application

    def debit(self, which):
        self.desk(DEBIT)
        for raw in (
            ("80A8000002830000", "00B2010C00", "00B2011400"),
            ("0020008008241234FFFFFFFFFF", "80CA9F1700", "0084000008"),
            ("80CA9F3600", "80CA9F1300", "80AE800000", "0084000004"),
        )[which]:
            self.desk(raw)

    def pay(self, pin, order, good):
        """A transaction: PIN, ARQC, ARPC, the second GENERATE AC at "2", scripts of a letter each."""
        for raw in (DEBIT, "80A80000028300", (PIN_BAD, PIN_OK)[pin]):
            self.desk(raw)
        answer = self.desk(_generate("80"))
        if answer[:6] != "801380":
            return
        issuer = Issuer(answer)
        self.desk(issuer.arpc() if good else "008200000A00000000000000003030")
        for letter in order:
            if letter == "2":
                self.desk(_generate("40", "3030"))
            elif letter == "N":
                self.desk(issuer.pin_change("123456", "123456"))
            else:
                header, data = SCRIPTS[letter]
                self.desk(issuer.script(header, bytes.fromhex(data), wrong=letter == "W"))
        for raw in ("80CA9F3600", "80CA9F1300", "00B2015C00"):
            self.desk(raw)


SCRIPTS = {
    "B": ("841E0000", ""), "U": ("84180000", ""), "P": ("84240000", ""), "D": ("04DA9F58", "05"),
    "W": ("04DA9F59", "07"), "R": ("04DC010C", "70405713" + "62" * 62),
}  # fmt: skip


def _generate(p1, arc=""):
    data = arc + terminal_data()
    return f"80AE{p1}00{len(data) // 2:02X}{data}00"


def _transaction(amount):
    from sscard.keys.purse import Transaction

    return Transaction(amount, 5, TERMINAL, MOMENT)


_mostly, _bit = st.sampled_from((1, 1, 1, 0)), st.integers(0, 1)


def _step(name, *args):
    return st.tuples(st.just(name), *args)


SOCIAL = st.one_of(
    _step("verify", _mostly),
    _step("change", _mostly),
    _step("services", _bit, _mostly, _bit),
    _step("update", _mostly, _mostly),
    _step("append", _mostly),
    _step("block", st.sampled_from((0x1E, 0x18)), _mostly, _mostly),
    _step("account", st.sampled_from((0, 0, 1)), _mostly),
    _step("read"),
)
PAY = _step(
    "pay", _mostly, st.sampled_from(("2", "D2R", "BU2", "2PDW", "N2", "W2D", "2BU")), _mostly
)
BANK = st.one_of(_step("debit", st.integers(0, 2)), PAY)
STEPS = {SSSE: SOCIAL, PSE: BANK}


def traces(*codes):
    sessions = [
        st.tuples(st.just(code), st.lists(STEPS[code], min_size=1, max_size=5)) for code in codes
    ]
    return st.lists(st.one_of(*sessions, st.just((0, []))), min_size=2, max_size=6)


GOOD = [
    ("verify", 1), ("change", 1), ("services", 0, 1, 1), ("services", 1, 1, 1),
    ("update", 1, 1), ("append", 1), ("block", 0x1E, 1, 1), ("account", 0, 1),
]  # fmt: skip


@pytest.mark.parametrize("step", GOOD, ids=str)
def test_a_step_without_a_mistake_is_done(step):
    visitor = Visitor(CARD.snapshot.fork()).play([(SSSE, [step])])
    answers = {answer[-2:].hex() for _, _, answer in visitor.log}
    assert answers == {"9000"}


@examples(40)
@given(trace=traces(SSSE, PSE))
def test_ni_1_what_a_finished_card_writes_is_its_domains(trace):
    card = CARD.snapshot.fork()

    def observe(visitor, raw, send):
        before = card.image
        kernel = visitor.desk.power.kernel
        current = kernel.current
        with card.eeprom.recording() as operations:
            response = send()
        touched = {operation.address // 64 for operation in operations}
        own = set(extents(before)[current.code]) if current is not None else set()
        assert touched <= RING | own, raw.hex()
        return response

    Visitor(card, observe=observe).play([(code, steps) for code, steps in trace if code])


@examples(40)
@given(trace=traces(SSSE), way=st.sampled_from((NAMES[PSE], NAMES[SSSE], "00A40000023F00")))
def test_ni_2_no_proof_and_no_begun_transaction_survives_a_selection(trace, way):
    visitor = Visitor(CARD.snapshot.fork()).play([(c, s) for c, s in trace if c])
    visitor.go("DF04")
    visitor.verify(1)
    visitor.desk(f"805001010B0100000000{TERMINAL.hex()}")
    visitor.desk(way)
    held = visitor.desk.power.kernel.domains[SSSE].session
    assert (held.directory_mask, held.environment_mask, held.challenges) == (0, 0, ())
    assert held.app is None
    visitor.go("DF04")
    assert visitor.desk("805401000F" + "00" * 15)[-4:] in ("6985", "9303")
    assert visitor.desk("805C000104")[-4:] in ("6982", "6985", "9303")


@examples(40)
@given(trace=traces(SSSE, PSE))
def test_ni_5_sessions_of_one_environment_left_out_change_nothing_in_the_other(trace):
    together = Visitor(CARD.snapshot.fork()).play(trace)
    for code in (SSSE, PSE):
        alone = Visitor(CARD.snapshot.fork(), only=(code,)).play(trace)
        assert together.responses(code) == alone.responses(code)
        assert together.extent(code) == alone.extent(code)
        untouched = Visitor(CARD.snapshot.fork()).extent(OTHER[code])
        assert alone.extent(OTHER[code]) == untouched


def test_ni_6_a_blocked_ssse_is_not_seen_in_the_pse():
    """Temporarily, for good by three wrong MACs, and by CARD BLOCK of its own environment."""
    trace = [(PSE, [("debit", 0), ("debit", 1), ("debit", 2)])]
    free = Visitor(CARD.snapshot.fork()).play(trace).responses(PSE)
    for ins, kid, place in ((0x1E, 5, "SSSE"), (0x16, 5, "SSSE"), (0x24, 6, "SSSE")):
        card = CARD.snapshot.fork()
        visitor = Visitor(card)
        visitor.go(place)
        visitor.proof(place, kid, 1)
        for _ in range(3 if ins == 0x24 else 1):
            visitor.protected(f"84{ins:02X}0000", "SSSE", 2, "", int(ins != 0x24))
        assert visitor.desk(NAMES[SSSE])[-4:] in ("6283", "6A81")
        # the same number of power cycles, so that the random streams are the same
        later = Card(card.image, CARD.snapshot.env.copy())
        assert Visitor(later).play(trace).responses(PSE) == free


def test_ni_7_the_proof_of_an_equal_key_gives_nothing_next_door():
    """The PIN verified in the SSSE does not open the debit application, nor the other way."""
    visitor = Visitor(CARD.snapshot.fork())
    visitor.go("DF04")
    visitor.verify(1)
    visitor.proof("SSSE", 4, 1)
    visitor.desk(NAMES[PSE])
    bank = visitor.desk.power.kernel.domains[PSE].session
    assert (bank.directory_mask, bank.environment_mask) == (0, 0)


@examples(40)
@given(trace=traces(SSSE), nobody=st.binary(min_size=16, max_size=16))
def test_ni_8_the_cmk_in_place_of_every_key_does_what_a_random_key_does(trace, nobody):
    cmk = b"TEST-CMK-CARD-01"
    players = [
        Visitor(CARD.snapshot.fork(), keys=dict.fromkeys(CARD.keys, key)).play(trace)
        for key in (cmk, nobody)
    ]
    assert players[0].responses(SSSE) == players[1].responses(SSSE)
    assert players[0].extent(SSSE) == players[1].extent(SSSE)


@examples(40)
@given(trace=traces(SSSE), seed=st.integers(0, 2**32))
def test_ni_3_ni_10_ni_11_whatever_the_neighbour_holds(trace, seed):
    """Same answers, same virtual time; no byte of the neighbour's in any of them."""
    base = CARD.snapshot
    pages = extents(base.image)[PSE]
    image = bytearray(base.image)
    begin, end = pages.start * 64 + 64, pages.stop * 64
    image[begin:end] = Random(seed).randbytes(end - begin)
    found = []
    for one in (base.image, bytes(image)):
        card = Card(one, base.env.copy())
        times = []
        card.trace(lambda e, t=times: t.append(e.elapsed_us) if isinstance(e, Exchanged) else None)
        found.append((Visitor(card).play(trace).responses(SSSE), times))
    assert found[0] == found[1]


def test_ni_12_what_only_reads_costs_no_operation():
    """GET BALANCE, GET TRANSACTION PROVE, INITIALIZE, asking for the tries, refused forms."""
    visitor = Visitor(CARD.snapshot.fork())
    visitor.go("DF04")
    visitor.verify(1)
    before = visitor.card.eeprom.ops
    for raw in (
        "805C000104", "805A0005020000", f"805001010B0100000000{TERMINAL.hex()}",
        f"805001010B0100000001{TERMINAL.hex()}", "0020000000", "805E010003123456", "00B2014400",
        "8424000004DEADBEEF", "841E000004DEADBEEF", "84180000040000DEAD", "04DC012C0400000000",
        "805401000F" + "00" * 15,
    ):  # fmt: skip
        visitor.desk(raw)
        assert visitor.card.eeprom.ops == before, raw


@pytest.mark.parametrize("ins", [0x5E, 0x24, 0x54, 0x1E])
def test_ni_13_a_handler_that_strays_is_stopped(ins, monkeypatch):
    """The guard fires before a byte is written, and the card is mute until reset."""
    from sscard.apps.ssse import applet

    outside = extents(CARD.snapshot.image)[PSE].start * 64 + 0x50
    row = next(row for row in applet.SSSE_APPLET.table if row.ins == ins)

    def stray(domain, command):
        domain.store.write(outside, b"\0")
        return b""

    monkeypatch.setitem(
        applet.SSSE_APPLET.table._rows,
        row.cla << 8 | row.ins,
        row._replace(handler=stray, lc=None, lc_by_p2=None),
    )
    card = CARD.snapshot.fork()
    alarms = []
    card.trace(lambda event: alarms.append(event) if isinstance(event, Alarm) else None)
    desk = Desk(card).ssse()
    image = card.image
    p1 = 1 if ins in (0x5E, 0x54) else 0
    assert desk.sw(f"{row.cla:02X}{ins:02X}{p1:02X}00") == "6F00"
    assert alarms
    assert card.image == image
    assert desk.sw("0084000008") == "6F00"


@examples(40)
@given(before=traces(SSSE, PSE), after=traces(SSSE, PSE))
def test_ni_14_a_copy_goes_on_as_the_original_would(before, after):
    """A snapshot, a fork and the bare image with its environment: no state is hidden."""
    first = Visitor(CARD.snapshot.fork()).play(before)
    copies = [
        first.card.snapshot().fork(),
        first.card.fork(),
        Card(first.card.image, first.card.env.copy()),
    ]
    logs = [(v.log, v.card.image) for v in (Visitor(copy).play(after) for copy in copies)]
    assert logs[0] == logs[1] == logs[2]


# --- the debit application, in full ------------------------------------------------------------


@pytest.mark.parametrize("order", ["D2R", "BU2", "2PDR", "N2", "2BU"])
def test_a_transaction_without_a_mistake_is_done(order):
    visitor = Visitor(CARD.snapshot.fork()).play([(PSE, [("pay", 1, order, 1)])])
    assert {answer[-2:].hex() for _, _, answer in visitor.log} == {"9000"}


@examples(30)
@given(trace=traces(PSE, SSSE), way=st.sampled_from((NAMES[SSSE], NAMES[PSE], "00A40000023F00")))
def test_ni_2_no_transaction_of_the_bank_survives_a_selection(trace, way):
    visitor = Visitor(CARD.snapshot.fork()).play([(c, s) for c, s in trace if c])
    for raw in (DEBIT, "80A80000028300"):
        visitor.desk(raw)
    answer = visitor.desk(_generate("80"))
    visitor.desk(way)
    assert visitor.desk.power.kernel.domains[PSE].session.directory.parent is None
    visitor.desk(DEBIT)
    assert visitor.desk(_generate("40", "3030")) == "6985"
    if answer[:6] == "801380":
        issuer = Issuer(answer)
        assert visitor.desk(issuer.arpc()) == "6985"
        assert visitor.desk(issuer.script("84180000")) == "6985"


@examples(30)
@given(trace=traces(PSE), seed=st.integers(0, 2**32))
def test_ni_3_ni_10_ni_11_whatever_the_ssse_holds(trace, seed):
    """Same answers and same virtual time of whole transactions beside another neighbour."""
    base = CARD.snapshot
    pages = extents(base.image)[SSSE]
    image = bytearray(base.image)
    begin, end = pages.start * 64 + 64, pages.stop * 64
    image[begin:end] = Random(seed).randbytes(end - begin)
    found = []
    for one in (base.image, bytes(image)):
        card = Card(one, base.env.copy())
        times = []
        card.trace(lambda e, t=times: t.append(e.elapsed_us) if isinstance(e, Exchanged) else None)
        found.append((Visitor(card).play(trace).responses(PSE), times))
    assert found[0] == found[1]


@pytest.mark.parametrize("script", ["841E0000", "84160000"])
def test_ni_6_a_blocked_bank_is_not_seen_in_the_ssse(script):
    trace = [(SSSE, [("verify", 1), ("update", 1, 1), ("account", 0, 1), ("read",)])]
    card = CARD.snapshot.fork()
    visitor = Visitor(card)
    for raw in (DEBIT, "80A80000028300"):
        visitor.desk(raw)
    issuer = Issuer(visitor.desk(_generate("80")))
    assert visitor.desk(issuer.script(script)) == "9000"
    assert visitor.desk(DEBIT)[-4:] in ("6283", "6A81")
    later = Card(card.image, CARD.snapshot.env.copy())
    free = Visitor(CARD.snapshot.fork()).play(trace)
    assert Visitor(later).play(trace).responses(SSSE) == free.responses(SSSE)


@pytest.mark.parametrize("letter", SCRIPTS)
def test_ni_9_a_torn_script_leaves_the_ssse_alone(letter):
    visitor = Visitor(CARD.snapshot.fork())
    session = [DEBIT, "80A80000028300", _generate("80")]
    issuer = Issuer([visitor.desk(raw) for raw in session][-1])
    header, data = SCRIPTS[letter]
    last = issuer.script(header, bytes.fromhex(data), wrong=letter == "W")
    steps = [Step(bytes.fromhex(raw)) for raw in (*session, last)]
    trial = record(CARD.snapshot, tuple(steps[:-1]), steps[-1])
    pages = extents(trial.before)[SSSE]
    neighbour = slice(pages.start * 64, pages.stop * 64)

    def untouched(image):
        return [] if image[neighbour] == trial.before[neighbour] else ["the SSSE changed"]

    result = sweep(trial, checks=(untouched,), retry=False, seeds=1)
    assert not result.violations
    assert result.pages.isdisjoint(pages)


def test_ni_12_what_only_reads_or_is_refused_costs_the_bank_no_operation():
    """Reading, ARPC, DDA, scripts out of place, wrong forms."""
    visitor = Visitor(CARD.snapshot.fork())
    visitor.desk(DEBIT)
    visitor.desk("80A80000028300")
    quiet = (
        "80CA9F3600", "00B2010C00", "00B2015C00", "0084000008", "0088000004A1B2C3D400",
        "841E000004DEADBEEF", "04DA9F580505DEADBEEF", "80AE80000100", "008200000A" + "00" * 10,
        "80A80000028300", "80AEC0000100",
    )  # fmt: skip
    before = visitor.card.eeprom.ops
    for raw in quiet:
        visitor.desk(raw)
        assert visitor.card.eeprom.ops == before, raw
    issuer = Issuer(visitor.desk(_generate("80")))
    before = visitor.card.eeprom.ops
    for raw in ("80CA9F1300", issuer.arpc(), issuer.arpc(), issuer.script("84180000")):
        visitor.desk(raw)
        assert visitor.card.eeprom.ops == before, raw


@pytest.mark.parametrize("ins", [0xA8, 0xAE, 0x20, 0x82, 0x1E, 0x24, 0xDA, 0xDC])
def test_ni_13_a_handler_of_the_bank_that_strays_is_stopped(ins, monkeypatch):
    from sscard.apps.pse.applet import DEBIT as TABLE

    outside = extents(CARD.snapshot.image)[SSSE].start * 64 + 0x50
    row = next(row for row in TABLE if row.ins == ins)

    def stray(domain, command):
        domain.store.write(outside, b"\0")
        return b""

    monkeypatch.setitem(
        TABLE._rows, row.cla << 8 | row.ins, row._replace(handler=stray, lc=None, p1=None, p2=None)
    )
    card = CARD.snapshot.fork()
    alarms = []
    card.trace(lambda event: alarms.append(event) if isinstance(event, Alarm) else None)
    desk = Desk(card)
    desk.data(DEBIT)
    image = card.image
    assert desk.sw(f"{row.cla:02X}{ins:02X}0000") == "6F00"
    assert alarms
    assert card.image == image


@pytest.mark.parametrize("way", ["native", "cps"])
def test_ni_1_personalisation_of_the_bank_touches_its_own_pages(way):
    """STORE DATA in both ways, while the environment is OWNED; the SSSE's bytes stay."""
    profile = Profile.load("sample")
    card = blank_card(profile)
    power = card.power_on()
    stored = []

    def transmit(raw):
        before, kernel = card.image, power.kernel
        current = kernel.current
        owned = current is not None and current.state != DomainState.CREATED
        with card.eeprom.recording() as operations:
            answer = power.transmit(raw)
        if owned and current.code == PSE and raw[1] != 0xA4:
            found = extents(before)
            touched = {operation.address // 64 for operation in operations}
            assert touched <= RING | set(found[PSE]), raw.hex()
            if SSSE in found:
                pages = slice(found[SSSE].start * 64, found[SSSE].stop * 64)
                assert card.image[pages] == before[pages], raw.hex()
            stored.append(raw[1])
        return answer

    personalise(profile, transmit, way)
    assert stored.count(0xE2) > 10
    assert (0x50 in stored) == (way == "cps")


# --- a PSAM: one domain alone ------------------------------------------------------------------------

PSAM = sample_psam().snapshot()
INIT = f"BFDE4812 18 {CSN8} {CITY} 1122334455667788"
COMMANDS = (
    INIT,
    f"801A4812 10 {CSN8} {CITY}",
    "80FA000008 0102030405060708",
    "80FA050010 0000000000000000 1122334455667788",
    "8070000014A1B2C3D40005000003E80620240315103000 0100",
    "807200000400000000",
    "0084000008",
    "00820000080000000000000000",
    "00B0960000",
    "00B0990004",
    "84D4010024" + "00" * 36,
    "00A40000023F00",
    SELECT,
    "00A4000002DF01",
)
READS = [raw for raw in COMMANDS if raw[:4] not in ("8070", "8072", "0082", "84D4")]
psam_traces = st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=14)


@examples(40)
@given(trace=psam_traces)
def test_ni_1_ni_14_a_psam_is_confined_and_its_copies_agree(trace):
    desk = SamDesk(PSAM.fork())
    allowed = RING | set(extents(PSAM.image)[0])
    for raw in trace:
        with desk.card.eeprom.recording() as operations:
            desk(raw)
        assert {operation.address // 64 for operation in operations} <= allowed, raw
    twins = (desk.card.fork(), Card(desk.card.image, desk.card.env.copy()))
    answers = [[twin(raw) for raw in COMMANDS] for twin in map(SamDesk, twins)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("way", [SELECT, "00A40000023F00", "00A4000002DF01", "reset"])
def test_ni_2_the_temporary_key_and_the_purchase_die_with_a_selection(way):
    desk = SamDesk(PSAM.fork())
    for begins, goes_on in ((INIT, "80FA000008 0102030405060708"), (COMMANDS[4], COMMANDS[5])):
        desk.ok(SELECT, begins)
        if way == "reset":
            desk.power.reset()
            desk.ok(SELECT)
        else:
            desk.ok(way)
        assert desk.sw(goes_on) in ("6985", "6901", "6A82", "6A88"), goes_on
        assert desk.power.kernel.current.session.app is None


@examples(40)
@given(trace=st.lists(st.sampled_from(READS), min_size=1, max_size=14))
def test_ni_12_a_psam_that_only_computes_writes_nothing(trace):
    desk = SamDesk(PSAM.fork())
    before = desk.card.eeprom.ops
    for raw in trace:
        desk(raw)
    assert desk.card.eeprom.ops == before


@pytest.mark.parametrize("raw", [COMMANDS[4], "00820000080000000000000000"])
def test_ni_9_a_tear_in_a_psam_touches_its_own_pages_alone(raw):
    steps = [Step(bytes.fromhex(SELECT))]
    challenge = b"\x11" * 8 if raw.startswith("0082") else b""
    trial = record(PSAM, steps, Step(bytes.fromhex(raw), challenge))
    result = sweep(trial, retry=False, nested=0, seeds=1)
    assert not result.violations
    assert result.pages
    assert set(result.pages) <= set(extents(PSAM.image)[0])

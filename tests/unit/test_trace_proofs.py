"""What `explain` verifies in a trace with keys: right on a genuine card, WRONG for any bit."""

from dataclasses import replace

import pytest
from bank_till import AT, quiet, signed_card, test_ca, till
from cash_desk import CashDesk, cash_card, n12
from sessions import pay
from social_counter import terminal
from ssse_desk import Desk as SocialDesk
from ssse_till import Till, account_keys

from sscard.inspect.trace import Apdu, CardRecorder, Octets, Recorder, masked_trace, story
from sscard.keys.vault import CardIdentity, Party
from sscard.perso.profile import Profile
from sscard.perso.roots import demo_vault
from sscard.perso.rsa_files import rsa_file
from sscard.sample import new_card, sample_card
from sscard.terminal import Dialect, Flavour
from sscard.transport import MemoryPort, PoweredSlot

KEYS = (demo_vault(), demo_vault(party=Party.BANK))
CA_KEYS = (rsa_file("ca-80").ca, test_ca())
RECORDS = ("00B2010C00", "00B2011400", "00B2021400", "00B2011C00")
MAC_KEY, AC_KEY = "MDK-MAC@PSE.DF01", "MDK-AC@PSE.DF01"
SELECT_SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
IDENTITY = "00B2012C00"
ADF = "00A4040008A000000333010101"
EXTERNAL, GENERATE, GPO, READ = 0x82, 0xAE, 0xA8, 0xB2


def record(card, session):
    recorder = Recorder("card", show_secrets=True)
    with CardRecorder(card, recorder):
        session()
    return recorder.trace


def proofs(trace, keys=KEYS, ca_keys=CA_KEYS):
    """The lines that say what was verified, and what was not."""
    told = story(trace, keys=keys, ca_keys=ca_keys, details=False)
    parts = [part for entry in told for part in entry.parts]
    return [f"{part.label}: {part.value}" for part in parts if part.label.endswith("verified")]


def spoilt(trace, ins, at, *, answer=False, nth=0):
    """The trace with one bit turned, in the nth such command or in its answer."""
    entries = list(trace.entries)
    fitting = [
        n
        for n, entry in enumerate(entries)
        if isinstance(entry, Apdu)
        and entry.command.data[1] == ins
        and len(entry.response) > 2 * answer
    ]
    place = fitting[nth]
    side = "response" if answer else "command"
    octets = bytearray(getattr(entries[place], side).data)
    octets[at] ^= 1
    entries[place] = replace(entries[place], **{side: Octets(bytes(octets))})
    return replace(trace, entries=tuple(entries))


def answered(trace, ins, sw):
    """The trace of a card that gives such a command this status word."""
    entries = [
        replace(entry, response=Octets(bytes.fromhex(sw)))
        if isinstance(entry, Apdu) and entry.command.data[1] == ins
        else entry
        for entry in trace.entries
    ]
    return replace(trace, entries=tuple(entries))


# ---- the bank: scripts, issuer data -----------------------------------------------------------------


def load(card):
    """An online transaction at a card with electronic cash, and a script that loads it."""
    desk = CashDesk(card)
    for apdu in (ADF, *RECORDS):
        desk(apdu)
    desk.opened(100, supported="00")
    ac1 = desk.pay(0x80, 100)[10:26]
    assert desk.sw(desk.load(20000, ac1)) == "9000"


@pytest.fixture(scope="module")
def loaded():
    card = cash_card()
    return record(card, lambda: load(card))


def test_pse_4_8_the_mac_of_a_script(loaded):
    assert f"script MAC verified: right under {MAC_KEY}" in proofs(loaded)
    for wrong in (spoilt(loaded, 0xDA, -1), spoilt(loaded, 0xDA, 7)):
        assert f"script MAC verified: WRONG under {MAC_KEY}" in proofs(wrong)
    assert f"cryptogram verified: right under {AC_KEY}" in proofs(loaded)
    assert "script MAC not verified: no keys of the bank were given" in proofs(loaded, KEYS[:1])


def test_pse_4_8_scripts_under_the_key_of_vis():
    card = cash_card(pse_script_keys="vis")

    def session():
        desk = CashDesk(card)
        for apdu in (ADF, *RECORDS):
            desk(apdu)
        desk.opened(100, supported="00")
        desk.sw(desk.load(20000, desk.pay(0x80, 100)[10:26]))

    trace = record(card, session)  # the desk knows PBOC's keys only: the card refuses
    assert trace.apdus[-1].response.data.hex() == "6988"
    assert f"script MAC verified: right under {MAC_KEY}" in proofs(trace)


@pytest.mark.parametrize("template", ["0A01", "0F03"])
def test_pse_4_6_the_mac_of_issuer_discretionary_data(template):
    card = cash_card(**{"pse.df.DF01.dgi.9200": f"9F100A0701010300000001{template}"})
    trace = record(card, lambda: load(card))
    right = f"MAC of the issuer discretionary data verified: right under {MAC_KEY}"
    assert right in proofs(trace)
    wrong = spoilt(trace, GENERATE, -3, answer=True)
    assert right.replace("right", "WRONG") in proofs(wrong)


# ---- signatures --------------------------------------------------------------------------------------


def test_pse_4_9_certificates_sda_and_dda():
    card = sample_card()

    def session():
        with MemoryPort(PoweredSlot(card, link="t0", atr=card.atr)) as port:
            pay(port)

    trace = record(card, session)
    found = proofs(trace, keys=())
    assert found[:4] == [
        "issuer certificate verified: right under the CA key 80",
        "signed static data verified: right under the issuer's key",
        "ICC certificate verified: right under the issuer's key",
        "DDA signature verified: right under the ICC key",
    ]
    wrong = spoilt(trace, 0xC0, -9, answer=True, nth=3)
    assert any(line.startswith("DDA signature verified: WRONG") for line in proofs(wrong, keys=()))
    unknown = proofs(trace, keys=(), ca_keys=CA_KEYS[1:])
    assert "issuer certificate not verified: CA key 80 was not given" in unknown
    hidden = proofs(masked_trace(trace), keys=())
    assert hidden[0].startswith("issuer certificate not verified: ") or "masked" in hidden[1]


def test_pse_4_9_the_combined_signature_of_cda():
    card = signed_card(aip="7D00")
    trace = record(card, lambda: till(card, quiet()).pay(100, AT))
    right = "CDA signature verified: right under the ICC key"
    assert right in proofs(trace)
    assert "cryptogram not verified: it is inside the signature (CDA)" in proofs(trace)
    changed = [
        spoilt(trace, GENERATE, 8, nth=0),  # an amount
        spoilt(trace, GENERATE, -20, answer=True),  # issuer data or signature
        spoilt(trace, READ, -10, answer=True, nth=3),
    ]
    for wrong in changed:
        assert right not in proofs(wrong)
    unlisted = replace(trace, entries=tuple(e for e in trace.entries if not _tells(e, "8C1B")))
    assert not any("CDA signature verified: WRONG" in line for line in proofs(unlisted))


def _tells(entry, part):
    return isinstance(entry, Apdu) and bytes.fromhex(part) in entry.response.data


# ---- qPBOC -------------------------------------------------------------------------------------------


def test_pse_6_2_a_tap_with_its_signature():
    card = new_card("pboc-contactless")
    terms = f"26000000{n12(100)}0000000000000156{'00' * 5}0156260701001A2B3C4D"

    def session():
        power = card.power_on(interface="contactless")
        power.transmit(bytes.fromhex(ADF))
        answer = power.transmit(bytes.fromhex(f"80A80000238321{terms}00"))
        afl = answer[answer.index(b"\x94") + 2 :][: answer[answer.index(b"\x94") + 1]]
        for at in range(0, len(afl), 4):
            for number in range(afl[at + 1], afl[at + 2] + 1):
                power.transmit(bytes((0, 0xB2, number, afl[at] | 4, 0)))

    trace = record(card, session)
    found = proofs(trace)
    assert found[0] == f"cryptogram verified: right under {AC_KEY}"
    assert found[-1] == "fDDA signature verified: right under the ICC key"
    other_amount = proofs(spoilt(trace, GPO, 15))
    assert other_amount[0] == f"cryptogram verified: WRONG under {AC_KEY}"
    other_number = proofs(spoilt(trace, GPO, -2))
    assert other_number[-1].startswith("fDDA signature verified: WRONG")


# ---- the social side ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "STK@SSSE, session key"),
        ({"sm_mode": "pboc_iv"}, "STK@SSSE, the key itself"),
        ({"pin_sm_key": "PUK"}, "PUK@SSSE, session key"),
    ],
)
def test_ssse_4_6_the_mac_of_a_protected_command(settings, words):
    card = new_card("v2", settings)
    mode = Flavour(settings.get("sm_mode", "session"))
    dialect = Dialect(sm_mode=mode, pin_sm_key=settings.get("pin_sm_key", "STK"))

    def session():
        with terminal(card, dialect=dialect) as desk:
            desk.accept()
            desk.reload_pin("654321")

    trace = record(card, session)
    assert f"MAC verified: right under {words}" in proofs(trace)
    wrong = proofs(spoilt(trace, 0x24, -1))
    assert any(line.startswith("MAC verified: WRONG under STK@SSSE") for line in wrong)
    assert "MAC not verified: the command is masked" in proofs(masked_trace(trace))


def test_ssse_3_8_a_refused_authentication_is_verified_too():
    card = sample_card()

    def session():
        power = card.power_on()
        for apdu in (SELECT_SSSE, IDENTITY, "0084000008", "0082000410" + "11" * 16):
            power.transmit(bytes.fromhex(apdu))

    assert proofs(record(card, session)) == ["cryptogram verified: WRONG under UK@SSSE"]


@pytest.mark.parametrize(("place", "name"), [("", "EMK-S@SSSE"), ("DF01", "AMK@DF01")])
def test_ssse_3_8_the_direct_form_with_a_master_key(place, name):
    card = sample_card()
    vault = KEYS[0]
    seen = []

    def session():
        power = card.power_on()
        for apdu in (SELECT_SSSE, IDENTITY, *([f"00A4000002{place}"] if place else [])):
            power.transmit(bytes.fromhex(apdu))
        challenge = power.transmit(bytes.fromhex("0084000008"))[:-2]
        key = CardIdentity("999901", power.atr[-8:]).ref(vault.info(name))
        proof = vault.direct_cryptogram(key, challenge)
        seen.append(power.transmit(bytes.fromhex("0082000008") + proof)[-2:])

    trace = record(card, session)
    assert proofs(trace) == [f"cryptogram verified: right under {name}"]
    assert seen == [b"\x90\x00"]
    assert proofs(spoilt(trace, EXTERNAL, -1)) == [f"cryptogram verified: WRONG under {name}"]


@pytest.mark.parametrize("session_form", [False, True])
@pytest.mark.parametrize("profile", ["v2", "v3"])
def test_ssse_3_8_master_keys_of_either_form_and_algorithm(profile, session_form):
    card = new_card(profile)
    vault = demo_vault(profile)
    infos = [info for info in vault.list_keys() if info.name == "EMK-S@SSSE"]

    def session():
        power = card.power_on()
        for apdu in (SELECT_SSSE, IDENTITY):
            power.transmit(bytes.fromhex(apdu))
        challenge = power.transmit(bytes.fromhex("0084000008"))[:-2]
        key = CardIdentity("999901", power.atr[-8:]).ref(infos[-1])
        if session_form:
            proof = vault.cryptogram(key, challenge, bytes(8)) + bytes(8)
        else:
            proof = vault.direct_cryptogram(key, challenge)
        power.transmit(bytes((0x00, 0x82, 0x00, 0x00, len(proof))) + proof)

    # which form a card takes is in its key's header: a recording may have either
    trace = answered(record(card, session), EXTERNAL, "9000")
    assert proofs(trace, keys=(vault,)) == ["cryptogram verified: right under EMK-S@SSSE"]
    wrong = proofs(spoilt(trace, EXTERNAL, 6), keys=(vault,))
    assert wrong == ["cryptogram verified: WRONG under EMK-S@SSSE"]


def test_ssse_3_8_a_mac_starts_from_the_latest_challenge():
    card = new_card("v2", {"challenge_policy": "history:4"})
    vault = KEYS[0]

    def session(spare):
        power = card.power_on()
        for apdu in (SELECT_SSSE, IDENTITY):
            power.transmit(bytes.fromhex(apdu))
        challenge = power.transmit(bytes.fromhex("0084000008"))[:-2]
        for _ in range(spare):
            power.transmit(bytes.fromhex("0084000008"))
        key = CardIdentity("999901", power.atr[-8:]).ref(vault.info("STK@SSSE"))
        head = bytes.fromhex("841E000004")
        power.transmit(head + vault.session_mac(key, challenge, head))

    latest, older = (
        proofs(answered(record(card, lambda spare=spare: session(spare)), 0x1E, "6988"))
        for spare in (0, 1)
    )
    assert latest == ["MAC verified: right under STK@SSSE, session key"]
    assert older[0].startswith("MAC verified: WRONG under STK@SSSE")


def test_ssse_3_8_a_challenge_of_the_last_four():
    card = new_card("v2", {"challenge_policy": "history:4"})
    vault = KEYS[0]

    def session():
        power = card.power_on()
        for apdu in (SELECT_SSSE, IDENTITY):
            power.transmit(bytes.fromhex(apdu))
        drawn = [power.transmit(bytes.fromhex("0084000008"))[:-2] for _ in range(4)]
        key = CardIdentity("999901", power.atr[-8:]).ref(vault.info("UK@SSSE"))
        proof = vault.cryptogram(key, drawn[0], drawn[1]) + drawn[1]
        assert power.transmit(bytes.fromhex("0082000410") + proof) == b"\x90\x00"

    assert proofs(record(card, session)) == ["cryptogram verified: right under UK@SSSE"]


def test_ssse_3_10_loads_and_debits_of_the_medical_account():
    profile = Profile.load("v2", {"medical_account": "deposit"})
    card = new_card(profile)

    def session():
        desk = SocialDesk(card)
        desk.ssse("")
        desk(IDENTITY)
        account = Till(desk, account_keys(profile)).open()
        account.load(5000)
        account.buy(1200)

    trace = record(card, session)
    right = [
        "MAC1 verified: right under DLK@DF04",
        "MAC2 verified: right under DLK@DF04",
        "TAC verified: right under DTK@DF04",
        "MAC1 verified: right under DPK@DF04",
        "TAC verified: right under DTK@DF04",
        "MAC2 verified: right under DPK@DF04",
    ]
    assert [line for line in proofs(trace) if not line.startswith("cryptogram")] == right
    for ins, at, answer, label in [
        (0x52, -1, False, "MAC2 verified: WRONG under DLK@DF04"),
        (0x52, 0, True, "TAC verified: WRONG under DTK@DF04"),
        (0x54, -1, False, "MAC1 verified: WRONG under DPK@DF04"),
        (0x54, 0, True, "TAC verified: WRONG under DTK@DF04"),
        (0x54, 5, True, "MAC2 verified: WRONG under DPK@DF04"),
    ]:
        assert label in proofs(spoilt(trace, ins, at, answer=answer))
    assert "MAC1 not verified: no keys of the social side were given" in proofs(trace, KEYS[1:])


# ---- what is masked --------------------------------------------------------------------------------


def hidden(trace, ins, side):
    """The trace with the data of such commands, or of their answers, masked."""

    def mask(entry):
        octets = getattr(entry, side)
        places = range(5, len(octets)) if side == "command" else range(len(octets) - 2)
        return replace(entry, **{side: octets.mask(places)})

    entries = tuple(
        mask(entry) if isinstance(entry, Apdu) and entry.command.data[1] == ins else entry
        for entry in trace.entries
    )
    return replace(trace, entries=entries)


def counter():
    card = sample_card()

    def session():
        with terminal(card) as desk:
            desk.accept()
            desk.reload_pin("654321")

    return record(card, session)


def loading():
    card = cash_card()
    return record(card, lambda: load(card))


def combined():
    card = signed_card(aip="7D00")
    return record(card, lambda: till(card, quiet()).pay(100, AT))


def paying_over_t0():
    card = sample_card()

    def session():
        with MemoryPort(PoweredSlot(card, link="t0", atr=card.atr)) as port:
            pay(port)

    return record(card, session)


@pytest.mark.parametrize("session", [counter, loading, combined, paying_over_t0])
def test_nothing_is_called_wrong_because_it_is_masked(session):
    trace = session()
    assert any("right" in line for line in proofs(trace))
    for ins in (EXTERNAL, 0x84, 0x88, GENERATE, GPO, READ, 0x24, 0xDA, 0xC0, 0xA4):
        for side in ("command", "response"):
            found = proofs(hidden(trace, ins, side))
            assert [line for line in found if "WRONG" in line] == [], (hex(ins), side)

"""The SSSE's own commands under power loss, exhaustively (cos 1.3; ssse-lb002 3.7, 3.10)."""

import pytest
from ssse_till import MOMENT, TERMINAL, account_keys
from tear_bench import Bench, command

from sscard.cos.layout import ExtentTable
from sscard.cos.tree import mount
from sscard.iso.apdu import Command
from sscard.keys import purse, session
from sscard.keys.purse import Transaction
from sscard.perso.profile import Profile
from sscard.sample import new_card
from sscard.testing.trial import Step

pytestmark = pytest.mark.tear

SSSE = command("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
DF04 = command("00A4000002DF04")
VERIFY = command("0020000003123456")
CHALLENGE = bytes.fromhex("0F1E2D3C4B5A6978")
RANDOM = bytes.fromhex("01020304")


class Drawing(Step):
    """A command for whose own random number the card is given `challenge`."""

    def send(self, card, activation):
        card.env.force_random(self.challenge)
        return activation.transmit(self.apdu)


@pytest.fixture(scope="module")
def cards():
    """Snapshots of finished cards by overrides of v2, with their profiles."""
    known = {}

    def card(**changes):
        name = repr(changes)
        if name not in known:
            profile = Profile.load("v2", changes)
            known[name] = (new_card(profile).snapshot(), profile)
        return known[name]

    return card


def tree(image):
    entry = next(e for e in ExtentTable.parse(image[0x140:0x180]).entries if e.domain == 1)
    return mount(image, entry.start, entry.pages)


# ---- PIN ---------------------------------------------------------------------------------------


def pin_record(image):
    """Try counter and value of the PIN."""
    root = tree(image).root
    body = root.key_file.body
    slots = (image[body + at : body + at + 40] for at in range(0, 40 * 16, 40))
    record = next(slot for slot in slots if slot[:3] == b"\xa5\x01\x00")
    return record[13], record[16 : 16 + record[12]].hex()


def proof(key):
    cryptogram = session.cryptogram(0, key, CHALLENGE, CHALLENGE)
    return Step(Command(0, 0x82, 0, 6, cryptogram + CHALLENGE).build(), CHALLENGE)


def protected(header, key, data=b"", *, good=True):
    sk = session.session_key(0, key, CHALLENGE)
    if data:
        data = session.sm_encrypt(0, sk, data)
    message = bytes.fromhex(header) + bytes((len(data) + 4,)) + data
    mac = session.sm_mac(0, sk, message) if good else bytes(4)
    return Step(message + mac, CHALLENGE)


def secrets_gone(*pins):
    """No ring keeps an old or a new PIN: they are too short for the sweep's own search."""

    def check(image):
        ring = image[8 * 64 : 136 * 64]
        return [f"the PIN {pin} stayed in the ring" for pin in pins if bytes.fromhex(pin) in ring]

    return check


def test_ssse_3_7_change_pin(cards, tears):
    snapshot, _ = cards(**{"ssse.pin.digits": "1234567812345678"})
    old, new = "1234567812345678", "8765432187654321"
    bench = Bench(snapshot, SSSE)
    change = bench.when(command(f"805E010011{old}FF{new}"))
    result = tears(change, retry=False, secrets=(bytes.fromhex(old), bytes.fromhex(new)))
    assert [pin_record(s.image) for s in result.states] == [(6, old), (5, old), (6, old), (6, new)]
    wrong = bench.when(command(f"805E010011{new}FF{old}"), "63C5")
    assert [pin_record(s.image) for s in tears(wrong).states] == [(6, old), (5, old)]


@pytest.mark.parametrize("sm_key", ["STK", "PUK"])
def test_ssse_3_7_reload_and_unblock(cards, tears, sm_key):
    """Under the PUK, which counts, its own try is spent and given back before (T2)."""
    snapshot, profile = cards(pin_sm_key=sm_key)
    puk = profile.ssse.key(0x0D, 0x06).value
    key = puk if sm_key == "PUK" else profile.ssse.key(0x07, 0x02).value
    bench = Bench(snapshot, SSSE)
    for left in (5, 4, 3, 2, 1, 0):
        bench.given(command("0020000003999999"), answers=f"63C{left}")
    bench.session = (SSSE, proof(puk))
    waiting = 1 + 2 * (sm_key == "PUK")

    unblock = bench.when(protected("84240000", key))
    result = tears(unblock)
    pins = [pin_record(s.image) for s in result.states]
    assert pins == [(0, "123456")] * waiting + [(6, "123456")]

    reload = bench.when(protected("84240001", key, bytes.fromhex("654321")))
    result = tears(reload, checks=(secrets_gone("654321"),))
    pins = [pin_record(s.image) for s in result.states]
    assert pins == [(0, "123456")] * waiting + [(6, "654321")]

    wrong = bench.when(protected("84240000", key, good=False), "6988")
    result = tears(wrong)
    assert {pin_record(s.image) for s in result.states} == {(0, "123456")}
    assert len(result.states) == 2 + (sm_key == "PUK")


def test_ssse_3_2_reload_by_key_load(cards, tears):
    snapshot, profile = cards(reload_by_key_load="on")
    bench = Bench(snapshot, SSSE, proof(profile.ssse.key(0x0D, 0x06).value))
    stk = profile.ssse.key(0x07, 0x02).value
    result = tears(bench.when(protected("84D40001", stk, bytes.fromhex("654321"))))
    assert [pin_record(s.image)[1] for s in result.states] == ["123456", "654321"]


# ---- the medical account ---------------------------------------------------------------------


def initialize(p1, amount):
    data = b"\x01" + amount.to_bytes(4) + TERMINAL
    return Drawing(Command(0x80, 0x50, p1, 1, data).build(), RANDOM)


def credit(keys, amount, sequence, *, good=True):
    key = purse.load_key(keys["DLK"], RANDOM, sequence)
    mac2 = purse.load_mac2(key, Transaction(amount, 1, TERMINAL, MOMENT))
    return Step(Command(0x80, 0x52, 0, 0, MOMENT + (mac2 if good else bytes(4))).build())


def debit(keys, amount, sequence, *, good=True):
    key = purse.purchase_key(keys["DPK"], RANDOM, sequence, 7)
    mac1 = purse.purchase_mac1(key, Transaction(amount, 5, TERMINAL, MOMENT))
    data = (7).to_bytes(4) + MOMENT + (mac1 if good else bytes(4))
    return Step(Command(0x80, 0x54, 1, 0, data).build())


def account(image):
    """Balance, on-line and off-line number, all debits; the log's count and newest record."""
    medical = next(node for node in tree(image).nodes if node.fid == 0xDF04)
    at, log = medical.child(0xEF81).body, medical.child(0xEF08).body
    body = image[at : at + 31]
    numbers = (0, 0, 0, 0)
    if body[0] == 1:
        numbers = tuple(int.from_bytes(body[a:b]) for a, b in ((1, 5), (5, 7), (7, 9), (9, 13)))
    newest, count = image[log], image[log + 1]
    record = image[log + 2 + 28 * newest :][:28] if count else b""
    return numbers, count, record


def logged(sequence, amount, balance, debited):
    after = b"".join(value.to_bytes(4) for value in (amount, balance, debited))
    return sequence.to_bytes(2) + b"\x05" + TERMINAL + MOMENT + after


def at_the_till(bench, *steps):
    bench.session = (SSSE, DF04, VERIFY, *steps)
    return bench


def done(bench, step):
    """Run the step undisturbed; its answer is not looked at."""
    card = bench.snapshot.fork()
    activation = card.power_on()
    for one in (*bench.session, step):
        one.send(card, activation)
    bench.snapshot = card.snapshot()


def completing(bench, step):
    """The trial of a CREDIT or DEBIT that must succeed."""
    card = bench.snapshot.fork()
    activation = card.power_on()
    for one in bench.session:
        one.send(card, activation)
    return bench.when(step, step.send(card, activation).hex().upper())


@pytest.mark.parametrize("counted", [False, True], ids=["uncounted", "counted"])
def test_ssse_3_10_load_and_debit_are_all_or_nothing(cards, tears, counted):
    """A debit is charged, counted and logged together; a key that counts spends its try before."""
    changes = {f"ssse.df.DF04.key.{name}.tries": "33" for name in ("DLK", "DPK") if counted}
    snapshot, profile = cards(**changes)
    keys = account_keys(profile)
    bench = Bench(snapshot)
    waiting = 1 + 2 * counted

    at_the_till(bench, initialize(0, 1_000))
    trial = completing(bench, credit(keys, 1_000, 0))
    empty, loaded = ((0, 0, 0, 0), 0, b""), ((1_000, 1, 0, 0), 0, b"")
    assert [account(s.image) for s in tears(trial).states] == [empty] * waiting + [loaded]
    refused = tears(bench.when(credit(keys, 1_000, 0, good=False), "9302"))
    assert {account(s.image) for s in refused.states} == {empty}
    assert len(refused.states) == 1 + counted
    done(bench, credit(keys, 1_000, 0))

    at_the_till(bench, initialize(1, 300))
    trial = completing(bench, debit(keys, 300, 0))
    charged = ((700, 1, 1, 300), 1, logged(0, 300, 700, 300))
    assert [account(s.image) for s in tears(trial).states] == [loaded] * waiting + [charged]
    refused = tears(bench.when(debit(keys, 300, 0, good=False), "9302"))
    assert {account(s.image) for s in refused.states} == {loaded}


def test_ssse_3_10_a_debit_when_the_log_goes_round(cards, tears):
    snapshot, profile = cards()
    keys = account_keys(profile)
    bench = at_the_till(Bench(snapshot), initialize(0, 100))
    done(bench, credit(keys, 100, 0))
    at_the_till(bench, initialize(1, 1))
    for sequence in range(30):
        done(bench, debit(keys, 1, sequence))
    result = tears(completing(bench, debit(keys, 1, 30)))
    assert [account(s.image) for s in result.states] == [
        ((70, 1, 30, 30), 30, logged(29, 1, 70, 30)),
        ((69, 1, 31, 31), 30, logged(30, 1, 69, 31)),
    ]


def test_ssse_3_10_beginning_and_asking_write_nothing(cards):
    snapshot, _ = cards()
    bench = at_the_till(Bench(snapshot))
    for step, answer in (
        (Step(Command(0x80, 0x5C, 0, 1, b"", 4).build()), "000000009000"),
        (Step(Command(0x80, 0x5A, 0, 5, bytes(2)).build()), "9406"),
        (initialize(1, 1), "9401"),
        (initialize(1, 0), "000000000000000000" + "0100" + RANDOM.hex() + "9000"),
    ):
        assert not bench.when(step, answer).operations

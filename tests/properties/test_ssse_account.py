"""The medical account against a small model of it: ssse-lb002 3.10, pse-pboc 8.

The model is a purse of integers and a list; it knows nothing of the card. Random tills use both,
with power cuts between commands.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from ssse_desk import Desk
from ssse_till import MOMENT, TERMINAL, Till, account_keys

from sscard.card import Card
from sscard.perso.profile import Profile
from sscard.sample import new_card

LIMIT = 2**32 - 1
amounts = st.tuples(
    st.sampled_from(["nothing", "a little", "half", "the balance", "all there is room for"]),
    st.integers(-1, 1),
)
PIN_TRIES = 6


@dataclass
class Model:
    """What the account must be."""

    balance: int = 0
    loads: int = 0
    spent: int = 0
    debits: list[tuple[int, int, int]] = field(default_factory=list)
    last: tuple[int, int] | None = None
    pin_known: bool = False
    tries: int = PIN_TRIES

    def amount(self, about, offset):
        """An amount near where something changes."""
        near = {
            "nothing": 0,
            "a little": 300,
            "half": LIMIT // 2,
            "the balance": self.balance,
            "all there is room for": LIMIT - self.balance,
        }
        return min(max(near[about] + offset, 0), LIMIT)

    def may_load(self, amount):
        if not self.pin_known:
            return "6982"
        return "9000" if self.balance + amount <= LIMIT else "6985"

    def may_buy(self, amount):
        if not self.pin_known:
            return "6982"
        return "9000" if amount <= self.balance else "9401"

    def load(self, amount):
        self.balance += amount
        self.last = (1, self.loads)
        self.loads += 1

    def buy(self, amount):
        self.balance -= amount
        self.spent = min(self.spent + amount, LIMIT)
        self.last = (5, len(self.debits))
        self.debits.append((amount, self.balance, self.spent))

    @property
    def log(self):
        """The last thirty debits, newest first, as the card shows them."""
        numbered = list(enumerate(self.debits))[-30:][::-1]
        constant = (TERMINAL + MOMENT).hex().upper()
        return [
            f"{n:04X}05{constant}{amount:08X}{after:08X}{spent:08X}"
            for n, (amount, after, spent) in numbered
        ]


class Account(RuleBasedStateMachine):
    """A till, a card, the model; `begun` is what INITIALIZE answered last, if nothing came after.

    `prior` is a transaction that was begun and is over, completed or not; `proof` what GET
    TRANSACTION PROVE must tell of the last one completed.
    """

    fresh: ClassVar[Card]
    keys: ClassVar[dict[str, bytes]]

    def __init__(self):
        super().__init__()
        self.model = Model()
        self.till = Till(Desk(self.fresh.fork()), self.keys)
        self.begun = None
        self.prior = None
        self.proof = ""

    @initialize()
    def select(self):
        self.till.desk.ssse("DF04")

    def _end(self):
        self.prior, self.begun = self.begun or self.prior, None

    def _refused(self, apdu, sw):
        self._end()
        assert self.till.desk(apdu) == sw

    # --- the PIN ------------------------------------------------------------------------

    @rule()
    def verify(self):
        self._end()
        blocked = self.model.tries == 0
        assert self.till.desk.pin() == ("6983" if blocked else "9000")
        if not blocked:
            self.model.pin_known, self.model.tries = True, PIN_TRIES

    @rule()
    def mistype(self):
        self._end()
        if self.model.tries == 0:
            assert self.till.desk.pin("999999") == "6983"
            return
        self.model.tries -= 1
        self.model.pin_known = False
        assert self.till.desk.pin("999999") == f"63C{self.model.tries}"

    # --- transactions -------------------------------------------------------------------

    @rule(amount=amounts)
    def begin_load(self, amount):
        amount = self.model.amount(*amount)
        expected = self.model.may_load(amount)
        self._end()
        if expected != "9000":
            assert self.till.desk(self.till.initialize(0, amount)) == expected
            return
        self.begun = self.till.begin_load(amount)
        assert (self.begun.balance, self.begun.sequence) == (self.model.balance, self.model.loads)

    @rule(amount=amounts)
    def begin_purchase(self, amount):
        amount = self.model.amount(*amount)
        expected = self.model.may_buy(amount)
        self._end()
        if expected != "9000":
            assert self.till.desk(self.till.initialize(1, amount)) == expected
            return
        self.begun = self.till.begin_purchase(amount)
        debits = len(self.model.debits)
        assert (self.begun.balance, self.begun.sequence) == (self.model.balance, debits)

    @precondition(lambda self: self.begun)
    @rule()
    def complete(self):
        begun = self.begun
        self._end()
        amount = begun.transaction.amount_fen
        if begun.transaction.kind == 1:
            tac = self.till.desk.data(self.till.credit(begun))
            mac2 = self.till.credit(begun)[-8:].upper()
            self.model.load(amount)
        else:
            answer = self.till.desk.data(self.till.debit(begun))
            tac, mac2 = answer[:8], answer[8:]
            self.model.buy(amount)
        self.proof = mac2 + tac

    @precondition(lambda self: self.begun)
    @rule()
    def complete_with_a_wrong_mac(self):
        begun = self.begun
        load = begun.transaction.kind == 1
        completing = self.till.credit if load else self.till.debit
        self._refused(completing(begun, good=False), "9302")

    @precondition(lambda self: self.begun)
    @rule()
    def complete_the_other_way(self):
        begun = self.begun
        load = begun.transaction.kind == 1
        self._refused((self.till.debit if load else self.till.credit)(begun), "6985")

    @precondition(lambda self: self.prior and not self.begun)
    @rule()
    def complete_too_late(self):
        load = self.prior.transaction.kind == 1
        completing = self.till.credit if load else self.till.debit
        assert self.till.desk(completing(self.prior)) == "6985"

    # --- asking -------------------------------------------------------------------------

    @rule()
    def balance(self):
        self._end()
        expected = f"{self.model.balance:08X}9000" if self.model.pin_known else "6982"
        assert self.till.desk("805C000104") == expected

    @rule(kind=st.sampled_from([1, 5]), back=st.integers(-1, 2))
    def prove(self, kind, back):
        self._end()
        sequence = (self.model.loads if kind == 1 else len(self.model.debits)) - back
        if sequence < 0:
            return
        expected = self.proof + "9000" if (kind, sequence) == self.model.last else "9406"
        assert self.till.prove(kind, sequence) == expected

    @precondition(lambda self: self.model.pin_known)
    @rule()
    def read_the_log(self):
        self._end()
        assert self.till.log() == self.model.log

    # --- power and selection --------------------------------------------------------------

    @rule()
    def pull_the_card(self):
        self._end()
        self.till = Till(Desk(self.till.desk.card.fork()), self.keys)
        self.till.desk.ssse("DF04")
        self.model.pin_known = False

    @rule(fid=st.sampled_from(["EF08", "EF05", "DF04"]))
    def select_here(self, fid):
        self._end()
        self.till.desk.ok(f"00A4000002{fid}")

    @rule()
    def go_elsewhere(self):
        """The PIN is the environment's; the account is DF04's."""
        self._end()
        self.till.desk.ok("00A4000002DF01")
        assert self.till.desk("805C000104") == "6985"
        self.till.desk.ok("00A4000002DF04")


def test_ssse_3_10_the_account_and_its_model():
    profile = Profile.load("v2")
    Account.fresh, Account.keys = new_card(profile), account_keys(profile)
    run_state_machine_as_test(Account, settings=settings(stateful_step_count=60))

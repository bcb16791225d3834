"""Electronic cash against a model of integers: no money appears, none is lost (pse-pboc 6.1, 6.2)."""

from cash_desk import CASH, FULL, LIMIT, SINGLE, gpo, n12
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pse_desk import AAC, ADF, ARQC, TC, Desk, cid, cryptogram, risk

from sscard.keys import pboc
from sscard.sample import new_card

PAN = "6210950000000000041"
MDK = {
    "ac": bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"),
    "mac": bytes.fromhex("11223344556677888877665544332211"),
}
AMOUNTS = st.sampled_from((0, 1, 2500, FULL, SINGLE, SINGLE + 1, LIMIT, LIMIT + 1))
NEW = new_card("pboc-contactless", {"pse.df.DF01.dgi.0E01": risk(mandatory="00")}).snapshot()


class Cash(RuleBasedStateMachine):
    """One card, both interfaces; the model knows its balance and whether the issuer must speak."""

    def __init__(self):
        super().__init__()
        self.card = NEW.fork()
        self.balance = FULL
        self.atc = 0
        self.spoiled = False
        self.newest = None

    def contact(self, amount, **terms):
        desk = Desk(self.card)
        desk.sw(ADF)
        fits = amount <= min(self.balance, SINGLE) and not self.spoiled
        self.atc += 1
        assert (desk.data(gpo(amount, **terms))[4:8] == CASH) == (fits and not terms)
        return desk, fits

    @rule(amount=AMOUNTS)
    def buy(self, amount):
        desk, fits = self.contact(amount)
        if not fits:
            return
        assert cid(desk.ac(TC, amount=n12(amount))) == "40"
        self.balance -= amount
        self.newest = amount

    @rule(amount=AMOUNTS, changed=AMOUNTS)
    def cheat(self, amount, changed):
        """The terminal repeats another amount."""
        desk, fits = self.contact(amount)
        if fits and amount != changed:
            assert cid(desk.ac(TC, amount=n12(changed))) == "00"

    @rule(amount=AMOUNTS, p1=st.sampled_from((AAC, ARQC)))
    def not_bought(self, amount, p1):
        desk, _ = self.contact(amount)
        desk.ac(p1, amount=n12(amount))

    @rule(amount=AMOUNTS, terms=st.sampled_from(({"supported": "00"}, {"currency": "0840"})))
    def elsewhere(self, amount, terms):
        self.contact(amount, **terms)

    @rule(amount=AMOUNTS, settles=st.booleans())
    def load(self, amount, settles):
        """An online transaction; an amount above the limit spoils the card until the next one."""
        desk, _ = self.contact(SINGLE + 1)
        ac1 = bytes.fromhex(cryptogram(desk.ac(ARQC, amount=n12(SINGLE + 1))))
        if settles:
            key = pboc.session_key(pboc.udk(MDK["ac"], PAN), self.atc)
            arpc = pboc.arpc(key, ac1, b"00").hex()
            assert desk.sw(f"008200000A{arpc}3030") == "9000"
            assert cid(desk.ac(TC, amount=n12(SINGLE + 1), arc="3030")) == "40"
            self.spoiled = False
            self.newest = SINGLE + 1
        head, data = bytes.fromhex("04DA9F790A"), bytes.fromhex(n12(amount))
        key = pboc.session_key(pboc.udk(MDK["mac"], PAN), self.atc)
        mac = pboc.script_mac(key, head, self.atc, ac1, data)
        allowed = amount <= LIMIT
        assert desk.sw((head + data + mac).hex()) == ("9000" if allowed else "6A80")
        self.balance = amount if allowed else self.balance
        self.spoiled |= not allowed

    @rule(amount=AMOUNTS, stays=st.booleans())
    def tap(self, amount, stays):
        """qPBOC; who takes the card away before the last record has not paid."""
        desk = Desk(self.card)
        desk.power = self.card.power_on(interface="contactless")
        desk.sw(ADF)
        terms = f"26000000{n12(amount)}0000000000000156{'00' * 5}015626070100A1B2C3D4"
        answer = desk.data(f"80A80000238321{terms}00")
        self.atc += 1
        approved = amount <= min(self.balance, SINGLE)
        assert ("9F101307011103" + ("90" if approved else "A0")) in answer
        desk.data("00B2011400")
        if stays:
            desk.data("00B2031C00")
            if approved:
                self.balance -= amount
                self.newest = amount

    @precondition(lambda self: self.newest is not None)
    @rule()
    def log_tells_the_newest(self):
        desk = Desk(self.card)
        desk.sw(ADF)
        assert int(desk.log()[12:24]) == self.newest

    @invariant()
    def balance_and_atc_are_the_models(self):
        desk = Desk(self.card)
        desk.sw(ADF)
        assert (int(desk.element("9F79")), int(desk.element("9F36"), 16)) == (
            self.balance,
            self.atc,
        )


TestCash = Cash.TestCase
TestCash.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)

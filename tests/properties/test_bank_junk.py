"""Whatever a card answers, a bank terminal ends with a receipt or with an error that has a name."""

from contextlib import suppress

from bank_till import AT, PaperCard, h, quiet, till, with_aid
from hypothesis import given
from hypothesis import strategies as st

from sscard.errors import TransportError
from sscard.iso.tlv import encode
from sscard.spec.emv import ELEMENTS
from sscard.terminal.bank import POS, BankTerminalError

WORDS = st.sampled_from(
    [h(sw) for sw in ("9000", "6283", "6A82", "6A83", "6985", "63C2", "6110", "6C05", "6F00")]
)
TLV = st.deferred(
    lambda: st.builds(
        encode,
        st.sampled_from(sorted(ELEMENTS)),
        st.one_of(st.binary(max_size=12), st.lists(TLV, max_size=3).map(b"".join)),
    )
)
ANSWERS = st.one_of(
    st.binary(max_size=40),
    st.tuples(st.one_of(st.binary(max_size=30), TLV), WORDS).map(b"".join),
)
STEPS = (
    "00A404",
    "80A8",
    "00B2010C",
    "00B20114",
    "00B20214",
    "80CA",
    "0020",
    "0088",
    "80AE",
    "0084",
)


class Junk:
    """A card that answers whatever it is given, in turn."""

    def __init__(self, answers):
        self.answers = list(answers)

    def reset(self):
        return b""

    def close(self):
        pass

    def transmit(self, apdu):
        return self.answers.pop(0) if self.answers else h("6F00")


def ends_well(card, terminal):
    with suppress(BankTerminalError, TransportError):
        till(card, terminal, pin="1234").pay(100, AT)


@given(st.lists(ANSWERS, max_size=30))
def test_pure_junk(answers):
    ends_well(Junk(answers), POS)


@given(st.sampled_from(STEPS), ANSWERS, st.sampled_from(["4800", "2800", "0900", "7900"]))
def test_junk_at_one_step_of_a_good_transaction(step, answer, aip):
    rules = bytes(8) + h("44034103420342001F00")
    card = PaperCard({0x8E: rules}, aip=aip, replace={step: lambda apdu: answer})
    ends_well(card, quiet(POS))


@given(st.dictionaries(st.sampled_from(sorted(ELEMENTS)), st.binary(max_size=20), max_size=4))
def test_junk_in_the_cards_data(objects):
    card = PaperCard(objects, aip="7900")
    ends_well(card, quiet(POS))


@given(st.sampled_from([0x90, 0x92, 0x9F32, 0x9F46, 0x9F47, 0x9F48, 0x8F]), st.binary(max_size=140))
def test_junk_in_certificates(tag, value):
    for aip in ("4800", "2800", "0900"):
        card = PaperCard(aip=aip, plant={"without": {tag: value}})
        ends_well(card, with_aid(quiet(POS), tac_default=bytes(5)))

"""Three kinds of terminals, three kinds of cards: what each makes of each (ssse-lb002 8).

`TERMINALS` drive a card through what their kind does and return what a cell of the table in
`docs/terminal.md` says. A terminal that is not built yet has no driver, and a dash in its cells.
Run as a script with the names of two readers, it prints the cell of the card in the first one.
"""

import sys
from datetime import date, datetime
from pathlib import Path

from sscard.cli.cert import ca_keys_named
from sscard.cli.demo.host import demo_host
from sscard.perso.roots import demo_vault
from sscard.terminal import OtherCard, Policy, PsamSource, SocialTerminal, VaultSource
from sscard.terminal.bank import POS, BankTerminal, KeyedPad, NoBankApplication
from sscard.terminal.full import Bill, FullTerminal

CARDS = {"social-only": "v2-social-only", "dual": "sample", "bank-only": "pboc"}
"""The columns: a kind of card and the profile of one."""
ROWS = ("social-only", "bank-only", "full")
NOT_BUILT = "–"

_DOCUMENT = Path(__file__).parents[2] / "docs" / "terminal.md"
_HEAD = ["terminal \\ card", *CARDS]
_AT = datetime(2026, 7, 1, 10, 30)


def table():
    """The table of the documentation: {(terminal, card): cell}."""
    lines = _DOCUMENT.read_text("utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    start = rows.index(_HEAD) + 2
    return {
        (row[0], card): cell
        for row in rows[start : start + len(ROWS)]
        for card, cell in zip(CARDS, row[1:], strict=True)
    }


def social(card, psam):
    """A social terminal: checks, holder, PIN, files, a settlement, an update, all by PSAM."""
    policy = Policy(date(2026, 7, 1), regions={"999901"})
    try:
        desk = SocialTerminal(card, PsamSource(psam), policy, region="999901")
    except OtherCard as error:
        return f"refused: {error}"
    environment = desk.accept()
    assert desk.holder().name == "张测试"
    desk.verify_pin("123456")
    desk.reload_pin("246810")
    desk.verify_pin("246810")
    assert "DF04/EF06" in {found.name for found in desk.read_all()}
    desk.load(VaultSource(demo_vault("sample")), 5_000, _AT)
    assert desk.settle(1_234, _AT).balance_fen == 3_766
    desk.update("SSSE/EF05", {0x05: date(2026, 7, 1)})
    return "served, by its SSSE alone" if environment.financial else "served"


def bank(card, psam):
    """A bank terminal: a payment on line, with a demo host. The PSAM is nothing to it."""
    try:
        desk = BankTerminal(card, POS, ca_keys_named(None), **_counter())
        receipt = desk.pay(1_234, _AT)
    except NoBankApplication as error:
        return f"refused: {error}"
    assert receipt.approved
    return "served"


def full(card, psam):
    """A full terminal: a bill whose insured part is the social side's, the rest the bank's."""
    policy = Policy(date(2026, 7, 1), regions={"999901"})
    source = PsamSource(psam)
    desk = FullTerminal(
        card, source, policy, POS, ca_keys_named(None), region="999901", **_counter()
    )
    if desk.has_social:
        visit = desk.social()
        visit.accept()
        visit.verify_pin("123456")
        visit.reload_pin("246810")
        visit.verify_pin("246810")
        visit.load(VaultSource(demo_vault("sample")), 5_000, _AT)
    bill = Bill("H-1", 1_000 if desk.has_social else 0, 234 if desk.has_bank else 0)
    receipt = desk.settle_medical(bill, _AT, pin="246810")
    assert receipt.due_fen == 0
    assert (receipt.social is not None, receipt.payment is not None) == (
        *(desk.has_social, desk.has_bank),
    )
    sides = [
        *(["social security"] if desk.has_social else []),
        *(["bank"] if desk.has_bank else []),
    ]
    return f"served: {' and '.join(sides)}"


def _counter():
    return {"host": demo_host("sample", day=_AT.date()), "pad": KeyedPad.of("123456")}


TERMINALS = {"social-only": social, "bank-only": bank, "full": full}

if __name__ == "__main__":
    from sscard.transport.pcsc import PcscPort

    terminal, card_reader, psam_reader = sys.argv[1:]
    with PcscPort(card_reader) as card_port, PcscPort(psam_reader) as psam_port:
        sys.stdout.write(TERMINALS[terminal](card_port, psam_port) + "\n")

"""The centre a terminal asks on line: allow or deny, and what to do to the card (ssse-lb002 8, 9).

It knows cards by identification code and number, their standing, the orders waiting for them,
and the blacklist. With a vault that holds the IRK it judges for itself whether a card is
genuine. No clock, no network, no file: `service` and `client` are around it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from sscard.keys import equal
from sscard.keys.vault import CardIdentity, ForeignKey, KeyRef, Party, Vault
from sscard.spec.online import Action, ActionKind, ActionResult, Blacklist, Report, Verdict

__all__ = ["CardEntry", "Centre", "Standing"]

_IRK = "IRK@SSSE"
_FAILED = "failed"
_CSN = 8
_BLOCKS = (
    ActionKind.APPLICATION_BLOCK,
    ActionKind.APPLICATION_UNBLOCK,
    ActionKind.CARD_BLOCK,
)
"""Orders for a card that could not prove itself: they carry no secret."""


class Standing(StrEnum):
    """How a card stands with its issuer, as far as terminals must know (ssse-lb002 9)."""

    ISSUED = "issued"
    ORAL_LOSS = "oral loss"
    WRITTEN_LOSS = "written loss"
    REPLACED = "replaced"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class CardEntry:
    """One card in the register.

    Shapes: `code` 16 bytes, `historical` 13; `region` six digits. `orders` wait for the card's
    next visit; `history` is what came of those before, with the status word.
    """

    code: bytes
    number: str
    historical: bytes
    region: str
    holder: str = ""
    standing: Standing = Standing.ISSUED
    orders: tuple[Action, ...] = ()
    history: list[ActionResult] = field(default_factory=list)


class Centre:
    """The register of cards and what it answers.

    `vault`, when given, holds IRK: a report's proof is then checked, and a card without one is
    not taken. `settles` says whether bills from elsewhere are taken over. Errors: ForeignKey
    for a vault of bank keys.
    """

    def __init__(
        self,
        cards: Iterable[CardEntry] = (),
        *,
        vault: Vault | None = None,
        settles: bool = True,
    ) -> None:
        if vault is not None and vault.party is not Party.SOCIAL:
            raise ForeignKey("a centre works with a vault of social keys, and only with it")
        self._cards: list[CardEntry] = []
        self._by_code: dict[bytes, CardEntry] = {}
        self._by_chip: dict[bytes, CardEntry] = {}
        self._vault = vault
        self._settles = settles
        self._edition = 0
        self._settlements = 0
        for card in cards:
            self.register(card)

    # ---- the register ----

    def register(self, card: CardEntry) -> None:
        """Take a card in. Errors: ValueError when its code or chip is there already."""
        chip = card.historical[-_CSN:]
        if card.code in self._by_code or chip in self._by_chip:
            raise ValueError(f"card {card.number} is registered already")
        self._cards.append(card)
        self._by_code[card.code] = self._by_chip[chip] = card

    def card(self, code: bytes) -> CardEntry:
        """Return the card of an identification code. Errors: KeyError."""
        return self._by_code[code]

    def order(self, code: bytes, *actions: Action) -> None:
        """Have something done to a card at its next visit. Errors: KeyError."""
        self._by_code[code].orders += actions

    def report_standing(self, code: bytes, standing: Standing) -> None:
        """Set how a card stands; the blacklist gets a new edition. Errors: KeyError."""
        self._by_code[code].standing = standing
        self._edition += 1

    @property
    def blacklist(self) -> Blacklist:
        """The cards no terminal takes, for terminals that are off line."""
        listed = [card for card in self._cards if card.standing is not Standing.ISSUED]
        return Blacklist(
            self._edition,
            frozenset(card.code for card in listed),
            frozenset((card.number, card.holder) for card in listed if card.holder),
        )

    # ---- what terminals ask ----

    def decide(self, report: Report) -> Verdict:
        """Return whether a card may be served, and the orders that wait for it.

        A card that is denied for its standing still gets its orders: that is how it is blocked.
        One whose code could not be read has proved nothing, and gets those about blocks alone.
        """
        card = self._find(report)
        if card is None:
            return Verdict(allowed=False, reason="not registered")
        if report.code and (card.code, card.number) != (report.code, report.number):
            return Verdict(allowed=False, reason="code, number and chip belong to different cards")
        if report.code and not self._genuine(card, report):
            return Verdict(allowed=False, reason="not genuine")
        reason = self._objection(card, report)
        orders = _orders(card, report)
        if reason:
            return Verdict(allowed=False, reason=reason, actions=orders, region=card.region)
        reference = self._reference() if report.amount_fen is not None else ""
        return Verdict(True, "", orders, card.region, reference)

    def confirm(self, report: Report, results: tuple[ActionResult, ...]) -> None:
        """Take down what came of the orders; those that were not done wait on.

        Results come in the order of the orders. Errors: KeyError for an unknown card,
        ValueError for results that are not of its orders.
        """
        card = self._find(report)
        if card is None:
            raise KeyError("not registered")
        given = _orders(card, report)[: len(results)]
        if [order.kind for order in given] != [result.kind for result in results]:
            raise ValueError("the results are not those of the card's orders")
        card.history += results
        waiting = list(card.orders)
        for order, result in zip(given, results, strict=True):
            if result.done:
                waiting.remove(order)
        card.orders = tuple(waiting)

    # ---- how ----

    def _find(self, report: Report) -> CardEntry | None:
        return self._by_code.get(report.code) or self._by_chip.get(report.historical[-_CSN:])

    def _genuine(self, card: CardEntry, report: Report) -> bool:
        if self._vault is None:
            return True
        if report.proof is None:
            return False
        identity = CardIdentity(card.region, card.historical[-_CSN:])
        irk: KeyRef = identity.ref(self._vault.info(_IRK))
        expected = self._vault.cryptogram(irk, report.proof.factor, report.proof.data)
        return equal(expected, report.proof.cryptogram)

    def _objection(self, card: CardEntry, report: Report) -> str:
        if card.standing is not Standing.ISSUED:
            return str(card.standing)
        failed = [name for name, outcome in report.checks if outcome == _FAILED]
        if failed:
            return f"failed: {', '.join(failed)}"
        if report.amount_fen is not None and not self._settles:
            return "no settlements are taken over here"
        return ""

    def _reference(self) -> str:
        self._settlements += 1
        return f"S{self._settlements:08}"


def _orders(card: CardEntry, report: Report) -> tuple[Action, ...]:
    if report.code:
        return card.orders
    return tuple(order for order in card.orders if order.kind in _BLOCKS)

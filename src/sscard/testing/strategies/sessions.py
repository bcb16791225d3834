"""Sessions: sequences of commands whose sender holds the card's keys, challenges and counters.

An order says what to do; the APDU is made when it is due, from what the card has answered so
far. That is how a session comes past authentication on any card of its profile.
Source: ssse-lb002 3, 4; pse-pboc 2, 4, 8.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

from sscard.card import Card
from sscard.errors import ProfileError
from sscard.testing.models.ssse_values import MASTER
from sscard.testing.strategies._orders import Exchanged, Held, Holder, Order, Port, holder
from sscard.testing.strategies._player import Player
from sscard.testing.strategies.commands import apdus

__all__ = ["Exchanged", "Order", "Session", "sessions"]

_ENVIRONMENTS: Final = ("SSSE", "PSE")
_FAULTS: Final = st.sampled_from(("", "", "", "", "bit", "stale"))
_INTERNAL: Final = 0x100
"""Numbers from here on name internal keys, which prove the card to the terminal."""
_PUK: Final = 0x06
_MEDICAL: Final = "DF04"
_GUARDED_MORE: Final = 3
"""So many times more often than others files with line protection are updated."""
_PINS: Final = st.sampled_from((bytes.fromhex("123456"), bytes.fromhex("654321")))
_SCRIPTS: Final = st.sampled_from(
    (b"limit", b"limit", b"record", b"pin", b"new pin", b"block", b"unblock")
)


class Session(NamedTuple):
    """Orders for a card of one profile."""

    holder: Holder
    orders: tuple[Order, ...]

    def card(self) -> Card:
        """Return a card the session can be played on: fresh, finished, without power."""
        return self.holder.card.fork()

    def play(self, port: Port | None = None) -> tuple[Exchanged, ...]:
        """Carry the orders out at a card with power; without `port`, at a fresh one.

        Challenges that are drawn on the way are exchanges, too, of the order that needs them.
        """
        player = Player(self.holder, port or self.card().power_on())
        for order in self.orders:
            player.carry_out(order)
        return tuple(player.exchanges)


def sessions(
    *,
    profile: str = "sample",
    settings: Mapping[str, Any] | None = None,
    environments: Sequence[str] = _ENVIRONMENTS,
    max_orders: int = 12,
    faults: bool = True,
) -> st.SearchStrategy[Session]:
    """Sessions with a card of `profile` with `settings`: `Session.play` carries one out.

    Of the `environments` those that the card has are visited: the SSSE with its directories,
    keys, PIN, files (under line protection where `settings` ask for it: `sm_update`) and medical
    account, the debit application of the PSE with transactions and scripts. A visit begins with
    SELECT; up to `max_orders` orders follow over all visits. `faults` mixes proofs that are
    nearly right and commands of any kind among them. Shrinks to one SELECT. Raises ProfileError
    when the card has none of the environments.
    """
    if not environments or not set(environments) <= set(_ENVIRONMENTS):
        raise ValueError(f"environments are some of {', '.join(_ENVIRONMENTS)}")
    if max_orders < 0:
        raise ValueError(f"max_orders {max_orders} may not be negative")
    held = holder(profile, tuple(sorted((settings or {}).items())))
    visits: list[st.SearchStrategy[list[Order]]] = []
    if "SSSE" in environments and held.social is not None:
        visits.append(_social_visits(held, faults=faults))
    if "PSE" in environments and held.bank is not None:
        visits.append(_bank_visits(faults=faults))
    if not visits:
        raise ProfileError(f"a card {profile} has none of {', '.join(environments)}")
    several = st.lists(st.one_of(*visits), min_size=1, max_size=3)
    orders = several.map(lambda parts: tuple(order for part in parts for order in part))
    return orders.map(lambda drawn: Session(held, drawn[: max_orders + 1]))


def _social_visits(holder: Holder, *, faults: bool) -> st.SearchStrategy[list[Order]]:
    home = st.sampled_from(sorted({held.place for held in holder.files}, reverse=True))
    return home.flatmap(lambda place: _visit_of(holder, place, faults=faults))


def _visit_of(holder: Holder, place: str, *, faults: bool) -> st.SearchStrategy[list[Order]]:
    assert holder.social is not None
    known = (
        [entry for entry in holder.social.keys if entry[1] < _INTERNAL] if faults else holder.keys
    )
    keys = st.sampled_from(
        [(at, kid) for at, kid in known if at == place or (at == "SSSE" and kid != MASTER)]
    )
    here = [held for held in holder.files if held.place == place]
    files = st.sampled_from(here)
    changeable = [held for held in here if faults or held.writing is not None]
    changeable += [held for held in changeable if held.guarded is not None] * _GUARDED_MORE
    fault = _FAULTS if faults else st.just("")
    fill = st.binary(min_size=1, max_size=4)
    orders: list[st.SearchStrategy[list[Order]]] = [
        files.map(lambda held: [_reads(held)]),
        files.map(lambda held: [*held.reading, _reads(held)]),
        fault.map(lambda wrong: [Order("verify", "SSSE", 0, wrong)]),
        st.builds(lambda key, wrong: [Order("prove", key[0], key[1], wrong)], keys, fault),
    ]
    if changeable:
        orders.append(st.builds(_changes, st.sampled_from(changeable), fill, fault))
    orders += _pin_services(holder, fault)
    if place == _MEDICAL and holder.account:
        orders += [_account(fault), _account(fault)]
    if faults:
        raw = apdus(domain="SSSE", max_data=32, min_length=4)
        orders.append(raw.map(lambda apdu: [Order("raw", "SSSE", data=apdu)]))
    way = [Order("select", one) for one in dict.fromkeys(("SSSE", place))]
    parts = st.lists(st.one_of(*orders), max_size=6)
    return parts.map(lambda drawn: [*way, *(order for part in drawn for order in part)])


def _reads(held: Held) -> Order:
    return Order("read", held.place, held.sfi, "", b"" if held.in_records else b"b")


def _changes(held: Held, fill: bytes, fault: str) -> list[Order]:
    """What opens a file to both, and the change of its first record."""
    if not held.in_records:
        return [*held.reading, _reads(held)]
    proofs_needed = dict.fromkeys((*held.reading, *(held.writing or ())))
    how = "update" if held.guarded is None else "protect"
    return [*proofs_needed, Order(how, held.place, held.sfi, fault, fill)]


def _pin_services(
    holder: Holder, fault: st.SearchStrategy[str]
) -> list[st.SearchStrategy[list[Order]]]:
    """CHANGE PIN, and UNBLOCK or RELOAD PIN behind the PUK (ssse-lb002 3.7)."""
    found = [st.builds(lambda new, w: [Order("change", "SSSE", 0, w, new)], _PINS, fault)]
    if ("SSSE", _PUK) in holder.keys:
        puk = Order("prove", "SSSE", _PUK)
        again = st.builds(
            lambda p2, new, w: [puk, Order("reload", "SSSE", p2, w, new)],
            st.sampled_from((0, 1)), _PINS, fault,
        )  # fmt: skip
        found.append(again)
    return found


def _account(fault: st.SearchStrategy[str]) -> st.SearchStrategy[list[Order]]:
    """The PIN, a load, and often a purchase of as much or more (ssse-lb002 3.10)."""
    purchase = st.builds(Order, st.just("buy"), st.just(_MEDICAL), st.sampled_from((1, 100)), fault)

    def till(fen: int, wrong: str, bought: list[Order]) -> list[Order]:
        return [Order("verify", "SSSE"), Order("load", _MEDICAL, fen, wrong), *bought]

    return st.builds(till, st.sampled_from((1, 100, 0)), fault, st.lists(purchase, max_size=2))


def _bank_visits(*, faults: bool) -> st.SearchStrategy[list[Order]]:
    """Visits that keep the order of a transaction, each step of it done or left out."""
    fault = _FAULTS if faults else st.just("")
    amount = st.sampled_from((1, 100, 10_000)).map(lambda one: bytes.fromhex(f"{one:012d}"))
    asked = st.sampled_from((0x80, 0x80, 0x40, 0x00))
    scripts = st.builds(
        lambda kind, number, w: Order("script", "PSE", number, w, kind),
        _SCRIPTS, st.integers(0, 9), fault,
    )  # fmt: skip
    steps: list[st.SearchStrategy[Order]] = [
        st.just(Order("gpo", "PSE")),
        st.builds(lambda sfi: Order("read", "PSE", sfi), st.integers(1, 3)),
        st.builds(lambda wrong: Order("verify", "PSE", 0, wrong), fault),
        st.builds(lambda p1, data: Order("generate", "PSE", p1, "", data), asked, amount),
        st.builds(lambda wrong: Order("issuer", "PSE", 0, wrong), fault),
        st.builds(
            lambda p1, data: Order("generate", "PSE", p1, "", data),
            st.sampled_from((0x40, 0x40, 0x00)),
            amount,
        ),
        scripts,
    ]
    if faults:
        raw = apdus(domain="PSE", max_data=32, min_length=4).map(
            lambda apdu: Order("raw", "PSE", data=apdu)
        )
        steps.append(raw)
    each = [st.one_of(st.none(), step, step, step) for step in steps]
    loose = st.tuples(*each).map(lambda drawn: [one for one in drawn if one is not None])
    visits = st.one_of(loose, _served(fault, amount, scripts))
    return visits.map(lambda drawn: [Order("select", "PSE"), *drawn])


def _served(
    fault: st.SearchStrategy[str],
    amount: st.SearchStrategy[bytes],
    scripts: st.SearchStrategy[Order],
) -> st.SearchStrategy[list[Order]]:
    """A transaction on line: the issuer speaks, and its scripts come before the end and after."""

    def whole(
        data: bytes, wrong: str, before: list[Order], closing: int, after: list[Order]
    ) -> list[Order]:
        first = [Order("gpo", "PSE"), Order("generate", "PSE", 0x80, "", data)]
        last = Order("generate", "PSE", closing, "", data)
        return [*first, Order("issuer", "PSE", 0, wrong), *before, last, *after]

    some = st.lists(scripts, max_size=2)
    return st.builds(whole, amount, fault, some, st.sampled_from((0x40, 0x40, 0x00)), some)

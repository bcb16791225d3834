"""Sessions: sequences of commands whose sender holds the card's keys, challenges and counters.

An order says what to do; the APDU is made when it is due, from what the card has answered so
far. That is how a session comes past authentication on any card of its profile.
Source: ssse-lb002 3, 4; pse-pboc 2, 4.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any, Final, NamedTuple, Protocol

from hypothesis import strategies as st

from sscard.card import Card
from sscard.cos.access import satisfied
from sscard.errors import ProfileError
from sscard.iso import tlv
from sscard.iso.apdu import Command
from sscard.keys import session as proofs
from sscard.perso.model import Directory
from sscard.perso.profile import Profile
from sscard.testing.models.pse_values import Debit, concatenated, inner
from sscard.testing.models.ssse_values import MASTER
from sscard.testing.pse_subjects import Bank, pse_subject
from sscard.testing.strategies.commands import apdus
from sscard.testing.subjects import Subject, subject

__all__ = ["Exchanged", "Order", "Session", "sessions"]

_ENVIRONMENTS: Final = ("SSSE", "PSE")
_SSSE_NAME: Final = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
_FAULTS: Final = st.sampled_from(("", "", "", "", "bit", "stale"))
_TRANSPARENT: Final = 0x01
_PROOF: Final = 0x0D
"""The type of keys for external authentication (cos 4.4)."""
_INTERNAL: Final = 0x100
"""Numbers from here on name internal keys, which prove the card to the terminal."""
_TERMINAL: Final[Mapping[int, bytes]] = {
    0x95: bytes.fromhex("0000008000"), 0x9A: bytes.fromhex("260701"), 0x9C: b"\0",
    0x5F2A: b"\x01\x56", 0x9F1A: b"\x01\x56", 0x9F21: bytes.fromhex("103045"),
    0x9F4E: b"TEST MERCHANT 000001",
}  # fmt: skip


class Port(Protocol):
    """What a session is sent through: an activation, or a terminal's or reader's connection."""

    def transmit(self, apdu: bytes, /) -> bytes:
        """Send a command APDU; return data and status word."""
        ...


class Exchanged(NamedTuple):
    """One command of a session that was played, with the order it came from."""

    order: "Order"
    apdu: bytes
    response: bytes

    @property
    def sw(self) -> str:
        """The status word in hex."""
        return self.response[-2:].hex().upper()


class Order(NamedTuple):
    """One thing to do.

    `what` is select, prove, verify, read, update, gpo, generate, issuer, script or raw; `place`
    the directory (SSSE, DF01 .., PSE); `number` a key id, an SFI, or P1 of GENERATE AC; `fault`
    "" for rightly done, "bit" for one bit wrong in the proof, "stale" for one that was used;
    `data` the amount, the bytes written, the whole APDU, or, of read, b"b" for a binary file.
    """

    what: str
    place: str = ""
    number: int = 0
    fault: str = ""
    data: bytes = b""


class _Held(NamedTuple):
    """A file of the SSSE with an SFI, and the proofs that open it to reading and to writing."""

    place: str
    sfi: int
    in_records: bool
    reading: tuple[Order, ...]
    writing: tuple[Order, ...]


class _Holder(NamedTuple):
    """Who holds what a session needs: the social keys and PIN, the bank and its card's data."""

    profile: str
    settings: tuple[tuple[str, Any], ...]
    social: Subject | None
    pin: bytes
    keys: tuple[tuple[str, int], ...]
    files: tuple["_Held", ...]
    bank: Bank | None
    debit: Debit | None
    card: Card

    def __repr__(self) -> str:
        return f"{self.profile}{dict(self.settings) or ''}"


class Session(NamedTuple):
    """Orders for a card of one profile."""

    holder: _Holder
    orders: tuple[Order, ...]

    def card(self) -> Card:
        """Return a card the session can be played on: fresh, finished, without power."""
        return self.holder.card.fork()

    def play(self, port: Port | None = None) -> tuple[Exchanged, ...]:
        """Carry the orders out at a card with power; without `port`, at a fresh one.

        Challenges that are drawn on the way are exchanges, too, of the order that needs them.
        """
        player = _Player(self.holder, port or self.card().power_on())
        for order in self.orders:
            player.carry_out(order)
        return tuple(player.exchanges)


class _Player:
    """Knows what was answered: the challenge, the counter, the first cryptogram."""

    def __init__(self, holder: _Holder, port: Port) -> None:
        self.holder = holder
        self.port = port
        self.exchanges: list[Exchanged] = []
        self.used = self.used_mac = bytes(8)
        self.atc = 0
        self.cryptogram = b""
        self.second = False

    def carry_out(self, order: Order) -> None:
        getattr(self, f"_{order.what}")(order)

    def _send(self, order: Order, apdu: bytes) -> bytes:
        response = self.port.transmit(apdu)
        self.exchanges.append(Exchanged(order, apdu, response))
        return response[:-2] if response[-2:] == b"\x90\0" else b""

    def _command(
        self, order: Order, header: str, data: bytes = b"", le: int | None = None
    ) -> bytes:
        cla, ins, p1, p2 = bytes.fromhex(header)
        return self._send(order, Command(cla, ins, p1, p2, data, le).build())

    # --- both environments ---------------------------

    def _raw(self, order: Order) -> None:
        self._send(order, order.data)

    def _select(self, order: Order) -> None:
        if order.place == "SSSE":
            self._command(order, "00A40400", _SSSE_NAME)
        elif order.place == "PSE" and self.holder.debit is not None:
            self._command(order, "00A40400", self.holder.debit.name)
        else:
            self._command(order, "00A40000", bytes.fromhex(order.place))

    def _verify(self, order: Order) -> None:
        if order.place == "PSE" and self.holder.debit is not None:
            digits = self.holder.debit.pin or ""
            block = bytes.fromhex(f"2{len(digits):X}{digits}".ljust(16, "F"))
            self._command(order, "00200080", _spoilt(block, order.fault, at=1))
        else:
            self._command(order, "00200000", _spoilt(self.holder.pin, order.fault))

    def _read(self, order: Order) -> None:
        if order.data:
            self._command(order, f"00B0{0x80 | order.number:02X}00", le=16)
            return
        self._command(order, f"00B201{order.number << 3 | 4:02X}", le=256)

    # --- the SSSE ---------------------------

    def _prove(self, order: Order) -> None:
        """EXTERNAL AUTHENTICATE of a key (ssse-lb002 4.1)."""
        social = self.holder.social
        if social is None:
            return
        challenge = self.used
        if order.fault != "stale":
            challenge = self._command(order, "00840000", le=8).ljust(8, b"\0")
            self.used = challenge
        key = social.keys[order.place, order.number]
        if order.number == MASTER:
            data = proofs.direct_cryptogram(social.algorithm, key, challenge)
        else:
            data = proofs.cryptogram(social.algorithm, key, challenge, challenge) + challenge
        data = _spoilt(data, "bit" if order.fault == "bit" else "")
        self._command(order, f"008200{order.number:02X}", data)

    def _update(self, order: Order) -> None:
        """UPDATE RECORD of a first record, its tag and length kept, in plain."""
        old = self._command(order, f"00B201{order.number << 3 | 4:02X}", le=256)
        if len(old) > 2:
            size = len(old) - 2
            new = old[:2] + (order.data * size)[:size]
            self._command(order, f"00DC01{order.number << 3 | 4:02X}", new)

    # --- the PSE ---------------------------

    def _gpo(self, order: Order) -> None:
        self.cryptogram, self.second = b"", False
        assert self.holder.debit is not None
        wanted = tuple(tlv.parse_dol(inner(self.holder.debit.template, 0x9F38)))
        values = concatenated(wanted, _TERMINAL)
        self._command(order, "80A80000", bytes((0x83, len(values))) + values, 256)

    def _generate(self, order: Order) -> None:
        """GENERATE AC with what the CDOL of its turn asks for."""
        assert self.holder.debit is not None
        wanted = next(
            (
                dol
                for records in self.holder.debit.records.values()
                for record in records
                if (dol := inner(record, 0x8D if self.second else 0x8C))
            ),
            b"",
        )
        terms = {0x9F02: order.data, 0x8A: b"00"}
        data = concatenated(tuple(tlv.parse_dol(wanted)), terms, _TERMINAL)
        answer = self._command(order, f"80AE{order.number:02X}00", data, 256)
        if answer[:1] == b"\x80" and len(answer) > 13 and not self.second:
            self.atc = int.from_bytes(answer[3:5])
            self.cryptogram = answer[5:13]
            self.second = answer[2] & 0xC0 == 0x80

    def _issuer(self, order: Order) -> None:
        """EXTERNAL AUTHENTICATE: the issuer approves (pse-pboc 4.7)."""
        assert self.holder.bank is not None
        arpc = self.holder.bank.arpc(self.atc, self.cryptogram or bytes(8), b"00")
        if order.fault == "stale":
            arpc = bytes(8)
        self._command(order, "00820000", _spoilt(arpc, order.fault) + b"00")

    def _script(self, order: Order) -> None:
        """PUT DATA of a limit, with its MAC (pse-pboc 4.8)."""
        assert self.holder.bank is not None
        head = bytes.fromhex("04DA9F58") + bytes((1 + 4,))
        data = bytes((order.number,))
        mac = self.holder.bank.script_mac(self.atc, self.cryptogram or bytes(8), head, data)
        sent = self.used_mac[:4] if order.fault == "stale" else _spoilt(mac, order.fault)
        self.used_mac = mac
        self._send(order, head + data + sent)


def _spoilt(proof: bytes, fault: str, at: int = 0) -> bytes:
    if not fault or not proof:
        return proof
    return proof[:at] + bytes((proof[at] ^ 1,)) + proof[at + 1 :]


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
    keys, PIN and files, the debit application of the PSE with transactions and scripts. A visit
    begins with SELECT; up to `max_orders` orders follow over all visits. `faults` mixes proofs
    that are nearly right and commands of any kind among them. Shrinks to one SELECT. Raises
    ProfileError when the card has none of the environments.
    """
    if not environments or not set(environments) <= set(_ENVIRONMENTS):
        raise ValueError(f"environments are some of {', '.join(_ENVIRONMENTS)}")
    if max_orders < 0:
        raise ValueError(f"max_orders {max_orders} may not be negative")
    holder = _holder(profile, tuple(sorted((settings or {}).items())))
    visits: list[st.SearchStrategy[list[Order]]] = []
    if "SSSE" in environments and holder.social is not None:
        visits.append(_social_visits(holder, faults=faults))
    if "PSE" in environments and holder.bank is not None:
        visits.append(_bank_visits(faults=faults))
    if not visits:
        raise ProfileError(f"a card {profile} has none of {', '.join(environments)}")
    several = st.lists(st.one_of(*visits), min_size=1, max_size=3)
    orders = several.map(lambda parts: tuple(order for part in parts for order in part))
    return orders.map(lambda drawn: Session(holder, drawn[: max_orders + 1]))


@lru_cache(maxsize=16)
def _holder(profile: str, settings: tuple[tuple[str, Any], ...]) -> _Holder:
    loaded = Profile.load(profile, dict(settings))
    social = subject(profile, settings) if loaded.ssse is not None else None
    pin: bytes = b""
    keys: tuple[tuple[str, int], ...] = ()
    files: tuple[_Held, ...] = ()
    if loaded.ssse is not None:
        pin = loaded.ssse.pin.value if loaded.ssse.pin is not None else b""
        keys = tuple(_keys(loaded.ssse))
        files = tuple(_files(loaded.ssse))
    has_debit = loaded.pse is not None and loaded.pse.directories
    bank = pse_subject(profile, dict(settings)) if has_debit else None
    card = social.snapshot.fork() if social is not None else bank.card if bank is not None else None
    if card is None:
        raise ProfileError(f"a card {profile} has neither SSSE nor debit application")
    return _Holder(
        profile, settings, social, pin, keys, files,
        None if bank is None else bank.bank, None if bank is None else bank.debit, card,
    )  # fmt: skip


def _keys(ddf: Directory) -> Iterator[tuple[str, int]]:
    """The keys that EXTERNAL AUTHENTICATE takes, by place and number."""
    for place, directory in (("SSSE", ddf), *((f"{one.fid:04X}", one) for one in ddf.directories)):
        if directory.master is not None:
            yield place, MASTER
        yield from ((place, key.id) for key in directory.keys if key.type == _PROOF)


def _files(ddf: Directory) -> Iterator[_Held]:
    above = _provable("SSSE", ddf)
    for place, directory in (("SSSE", ddf), *((f"{one.fid:04X}", one) for one in ddf.directories)):
        own = _provable(place, directory) if directory is not ddf else {}
        for file in directory.files:
            reading, writing = (_proofs(word, own, above) for word in (file.read, file.update))
            if file.sfi and reading is not None:
                yield _Held(place, file.sfi, file.kind != _TRANSPARENT, reading, writing or ())


def _provable(place: str, directory: Directory) -> dict[int, Order]:
    """The grants of a directory's keys, and how each is come by (cos 2.3)."""
    found = {
        key.grant: Order("prove", place, key.id) for key in directory.keys if key.type == _PROOF
    }
    if directory.pin is not None:
        found[directory.pin.grant] = Order("verify", "SSSE")
    return {grant: order for grant, order in found.items() if grant <= 0x0F}


def _proofs(
    word: int, own: Mapping[int, Order], above: Mapping[int, Order]
) -> tuple[Order, ...] | None:
    """The fewest proofs that satisfy an access condition; None when there are none."""
    every = [(1 << grant, 0, order) for grant, order in own.items()]
    every += [(0, 1 << grant, order) for grant, order in above.items()]
    for count in range(3):
        for chosen in combinations(every, count):
            if satisfied(word, sum(one for one, _, _ in chosen), sum(one for _, one, _ in chosen)):
                return tuple(order for _, _, order in chosen)
    return None


def _social_visits(holder: _Holder, *, faults: bool) -> st.SearchStrategy[list[Order]]:
    home = st.sampled_from(sorted({held.place for held in holder.files}, reverse=True))
    return home.flatmap(lambda place: _visit_of(holder, place, faults=faults))


def _visit_of(holder: _Holder, place: str, *, faults: bool) -> st.SearchStrategy[list[Order]]:
    assert holder.social is not None
    known = (
        [entry for entry in holder.social.keys if entry[1] < _INTERNAL] if faults else holder.keys
    )
    keys = st.sampled_from(
        [(at, kid) for at, kid in known if at == place or (at == "SSSE" and kid != MASTER)]
    )
    files = st.sampled_from([held for held in holder.files if held.place == place])
    fault = _FAULTS if faults else st.just("")
    fill = st.binary(min_size=1, max_size=4)
    orders: list[st.SearchStrategy[list[Order]]] = [
        files.map(lambda held: [_reads(held)]),
        files.map(lambda held: [*held.reading, _reads(held)]),
        st.builds(_changes, files, fill),
        fault.map(lambda wrong: [Order("verify", "SSSE", 0, wrong)]),
        st.builds(lambda key, wrong: [Order("prove", key[0], key[1], wrong)], keys, fault),
    ]
    if faults:
        raw = apdus(domain="SSSE", max_data=32)
        orders.append(raw.map(lambda apdu: [Order("raw", "SSSE", data=apdu)]))
    way = [Order("select", one) for one in dict.fromkeys(("SSSE", place))]
    parts = st.lists(st.one_of(*orders), max_size=6)
    return parts.map(lambda drawn: [*way, *(order for part in drawn for order in part)])


def _reads(held: _Held) -> Order:
    return Order("read", held.place, held.sfi, "", b"" if held.in_records else b"b")


def _changes(held: _Held, fill: bytes) -> list[Order]:
    """What opens a file to both, and the change of its first record."""
    if not held.in_records:
        return [*held.reading, _reads(held)]
    proofs_needed = dict.fromkeys((*held.reading, *held.writing))
    return [*proofs_needed, Order("update", held.place, held.sfi, "", fill)]


def _bank_visits(*, faults: bool) -> st.SearchStrategy[list[Order]]:
    """Visits that keep the order of a transaction, each step of it done or left out."""
    fault = _FAULTS if faults else st.just("")
    amount = st.sampled_from((1, 100, 10_000)).map(lambda one: bytes.fromhex(f"{one:012d}"))
    asked = st.sampled_from((0x80, 0x80, 0x40, 0x00))
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
        st.builds(lambda limit, w: Order("script", "PSE", limit, w), st.integers(0, 9), fault),
    ]
    if faults:
        raw = apdus(domain="PSE", max_data=32).map(lambda apdu: Order("raw", "PSE", data=apdu))
        steps.append(raw)
    each = [st.one_of(st.none(), step, step, step) for step in steps]
    return st.tuples(*each).map(
        lambda drawn: [Order("select", "PSE"), *(one for one in drawn if one is not None)]
    )

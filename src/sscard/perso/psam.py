"""PSAM profiles: what a PSAM is, as data (cos 7.1, 7.2; ssse-lb002 4.1, 5.1).

Its working keys are those of a card profile, at the tier of who issues the PSAM: `level`
ministry, province or city. Keys for the whole nation (usage 67) start at the ministry's root
whatever the level, so that every terminal knows every card. `PsamProfile.load` takes key values
from the card profile's roots, or from any other `KeySource`; or it leaves them in a vault, which
gives them out enciphered when the PSAM is made (`perso.psam_vault`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sscard.errors import ProfileError
from sscard.iso.text import bcd
from sscard.keys.block import Algorithm
from sscard.keys.hierarchy import CARD_KEYS, Tier
from sscard.keys.vault import Vault
from sscard.perso import parse, sources
from sscard.perso.model import Chip, TransportKey
from sscard.perso.origins import KeySource, origins, source_of
from sscard.perso.psam_vault import HeldKey, PsamKey, shares
from sscard.perso.table import Table
from sscard.spec.codes import ALGORITHMS
from sscard.spec.psam import (
    APPLICATION_INFO_SIZE,
    COUNTER_FIDS,
    ENVIRONMENT_NAMES,
    Use,
    usage_byte,
    use_of,
)

__all__ = ["HeldKey", "PsamKey", "PsamProfile", "is_psam", "names"]

names = sources.psam_names
_LEVELS = {tier.name.lower(): tier for tier in (Tier.MINISTRY, Tier.PROVINCE, Tier.CITY)}
_ALGORITHMS = (Algorithm.TDES, Algorithm.DES, Algorithm.SM4)


def is_psam(profile: str) -> bool:
    """Whether a profile, by name or path, is a PSAM's. Errors: ProfileError if there is none."""
    return "level" in sources.read(profile)


@dataclass(frozen=True, slots=True)
class PsamProfile:
    """One PSAM: the blank chip, the MF's files, the application DF01.

    Shapes: `terminal` 6 bytes; `card_info` 14 bytes of 0015, `application_info` 25 bytes of
    0017; `transaction_number` the last one used. `masters` and `maintenance` are the MF's key
    and DF01's. `vault` holds the keys that are not given by value; `withheld` names those that
    it does not give out, being its own.
    """

    name: str
    title: str
    level: Tier
    chip: Chip
    atr_profile: str
    historical: bytes
    transport_key: TransportKey
    options: tuple[tuple[str, str], ...]
    df_name: bytes
    terminal: bytes
    card_info: bytes
    application_info: bytes
    counter_fid: int
    transaction_number: int
    masters: tuple[PsamKey, PsamKey]
    maintenance: tuple[PsamKey, PsamKey]
    keys: tuple[PsamKey | HeldKey, ...]
    withheld: tuple[str, ...] = ()
    vault: Vault | None = field(default=None, repr=False, compare=False)

    @classmethod
    def load(
        cls,
        name: str = "psam",
        overrides: Mapping[str, object] | None = None,
        source: KeySource | None = None,
        *,
        vault: Vault | None = None,
        region: str | None = None,
    ) -> "PsamProfile":
        """Load a shipped PSAM profile by name, or a file by path, with single values replaced.

        `source` gives the working keys in place of the roots of the profile's `cards`; a `vault`
        keeps them until the PSAM is made, and its values are never here. `region`, 6 digits, is
        that of the PSAM's province and city, by default that of its cards. Errors: ProfileError
        naming the key and what may stand there; VaultError.
        """
        tree = sources.with_settings(sources.read(name), overrides or {})
        if vault is not None and source is not None:
            raise ProfileError(f"{name}: working keys come from a source or from a vault")
        return _profile(name, tree, source, vault, region)

    def describe(self) -> str:
        """Return the profile in words, for people; no key values."""
        lines = [
            f"{self.name}: {self.title}",
            f"  chip {self.chip.serial.hex().upper()}, {self.chip.size // 1024} KiB",
            f"  level {self.level.name.lower()}, terminal {self.terminal.hex().upper()}",
        ]
        lines += [f"  {key.usage:02X} {key.id:02X} {key.name}" for key in self.keys]
        return "\n".join(lines)


def _profile(
    name: str,
    tree: sources.Tree,
    source: KeySource | None,
    vault: Vault | None,
    region: str | None,
) -> PsamProfile:
    top = Table(tree)
    top.number("format", 1, 1)
    level = top.choice("level", _LEVELS)
    cards = top.text("cards", "")
    atr = top.table("atr")
    card, application = top.table("card"), top.table("application")
    listed = tuple(_listed(top.table("key")))
    issued: tuple[PsamKey | HeldKey, ...] = ()
    withheld: tuple[str, ...] = ()
    if vault is not None:
        tree_of_cards = sources.read(cards) if cards else {}
        where = region or (Table(tree_of_cards).text("region") if cards else "")
        issued, withheld = shares(vault, origins(tree_of_cards), where, level)
    elif source is not None or cards:
        issued = tuple(_issued(source or source_of(cards, region), level))
    made = PsamProfile(
        name=name,
        title=top.text("title"),
        level=level,
        chip=parse.chip(top.table("chip")),
        atr_profile=atr.choice("profile", {word: word for word in "ABC"}),
        historical=atr.hex_bytes("historical"),
        transport_key=parse.transport_key(top.table("transport_key")),
        options=(("card_kind", "psam"), *parse.options(top.table("options"))),
        df_name=top.choice("environment", ENVIRONMENT_NAMES, "3des"),
        terminal=_digits(card, "terminal", 6),
        card_info=_card_info(card),
        application_info=_application_info(application),
        counter_fid=application.choice("counter", {f"{fid:04X}": fid for fid in COUNTER_FIDS}),
        transaction_number=application.number("transaction_number", 0, 0xFFFFFFFF, 0),
        masters=(_head(card, "master", Use.MASTER), _head(application, "master", Use.MASTER)),
        maintenance=(
            _head(card, "maintenance", Use.MAINTENANCE),
            _head(application, "maintenance", Use.MAINTENANCE),
        ),
        keys=issued + listed,
        withheld=withheld,
        vault=vault,
    )
    for table in (atr, card, application, top):
        table.finish()
    _refuse_doubles(name, made.keys)
    return made


# --- files --------------------------------------------------------------------------------------


def _digits(table: Table, key: str, length: int) -> bytes:
    """Return a number of exactly 2 * `length` digits in BCD."""
    try:
        value = bcd(table.text(key))
    except ValueError:
        value = b""
    if len(value) != length:
        table.wrong(key, f"{2 * length} digits")
    return value


def _card_info(table: Table) -> bytes:
    """Serial 10, version, key card type, instruction set, FCI data: EF 0015 (cos 7.1)."""
    words = ("version", "key_card_type", "instruction_set", "fci_data")
    return _digits(table, "serial", 10) + bytes(table.number(word, 0, 255, 1) for word in words)


def _application_info(table: Table) -> bytes:
    """Key index 1, issuer 8, receiver 8, start 4, expiry 4: EF 0017 (cos 7.1)."""
    info = bytes((table.number("key_index", 0, 255, 1),))
    info += table.hex_bytes("issuer", 8) + table.hex_bytes("receiver", 8)
    info += _digits(table, "start", 4) + _digits(table, "expiry", 4)
    assert len(info) == APPLICATION_INFO_SIZE
    return info


# --- keys ---------------------------------------------------------------------------------------


def _head(table: Table, word: str, use: Use) -> PsamKey:
    """Return the master or maintenance key of a directory."""
    inner = table.table(word)
    number = inner.hex_number("id", 2, 0 if use is Use.MASTER else 1)
    made = _given(word, inner, usage_byte(use, 0), number)
    inner.finish()
    return made


def _listed(table: Table) -> Iterator[PsamKey]:
    """Yield the keys a profile lists by itself, each with usage, id and value."""
    for name in table.names():
        inner = table.table(name)
        usage = inner.hex_number("usage", 2)
        if use_of(usage) in (None, Use.MASTER):
            inner.wrong("usage", "the usage byte of a working key (cos 7.2)")
        yield _given(name, inner, usage, inner.hex_number("id", 2))
        inner.finish()


def _given(name: str, table: Table, usage: int, number: int) -> PsamKey:
    known = {word: code for word, code in ALGORITHMS.items() if code in _ALGORITHMS}
    algorithm = table.choice("algorithm", known, "3des")
    length = Algorithm(algorithm).key_length
    return PsamKey(name, usage, number, algorithm, table.secret("value", length))


def _issued(source: KeySource, level: Tier) -> Iterator[PsamKey]:
    """Yield the card keys that a PSAM of this level holds, as its usage byte counts them."""
    for key in CARD_KEYS:
        if not key.psam:
            continue
        usage, number = key.psam[0]
        wanted = Tier.MINISTRY if key.tier is Tier.MINISTRY else level
        found = source(key, wanted)
        if found is not None:
            value, reached = found
            use = usage & 0x1F
            yield PsamKey(key.label, usage_byte(use, reached), number, value.algorithm, value.value)


def _refuse_doubles(name: str, keys: tuple[PsamKey | HeldKey, ...]) -> None:
    seen: dict[tuple[int, int], str] = {}
    for key in keys:
        other = seen.setdefault((key.usage, key.id), key.name)
        if other != key.name:
            raise ProfileError(
                f"{name}: {key.usage:02X}/{key.id:02X} stands for {other} and {key.name}"
            )

"""The key hierarchy as data: ministry, province, city, card; and the bank's own (cos 4.6).

Which keys a social security card holds is a table (ssse-lb002 4.1); what they are for one card
follows from the roots, the region and the card's number. Values show in no repr. Pure;
imported by personalisation, the PSAM and the terminals; the card itself only stores results.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from sscard.keys.block import Algorithm
from sscard.keys.diversify import city_factor, diversify, kcv, province_factor
from sscard.keys.pboc import udk

__all__ = [
    "CARD_KEYS",
    "BankKeys",
    "CardKey",
    "KeySet",
    "KeyValue",
    "Origin",
    "Tier",
    "factors",
]


class Tier(IntEnum):
    """Who holds a value; the number is how many diversifications remain until the card's."""

    CARD = 0
    CITY = 1
    PROVINCE = 2
    MINISTRY = 3


@dataclass(frozen=True, slots=True)
class KeyValue:
    """A key with its algorithm. The repr gives algorithm and check value, never the key."""

    value: bytes = field(repr=False)
    algorithm: Algorithm = Algorithm.TDES

    @property
    def kcv(self) -> bytes:
        """The 3-byte check value. Source: cos 4.6."""
        return kcv(self.algorithm, self.value)

    def child(self, factor: bytes) -> "KeyValue":
        """The key one level down, for an 8-byte factor. Source: cos 4.6."""
        return KeyValue(diversify(self.algorithm, self.value, factor), self.algorithm)

    def __repr__(self) -> str:
        return f"<KeyValue {self.algorithm.label} KCV {self.kcv.hex().upper()}>"


class CardKey(NamedTuple):
    """One key of the social security card: a row of ssse-lb002 4.1.

    `place` is the directory that holds it; `kid` the reference in P2; `kind` the type byte of
    cos 4.4; `psam` its (usage, id) pairs in a PSAM, () when no PSAM holds it.
    """

    name: str
    place: str
    kid: int
    kind: int
    psam: tuple[tuple[int, int], ...] = ()

    @property
    def tier(self) -> Tier | None:
        """Who gives the key to PSAMs: the top three bits of the usage byte; None without one."""
        return Tier(self.psam[0][0] >> 5) if self.psam else None

    @property
    def label(self) -> str:
        """Name and place, unique in the table: "UK1@DF01"."""
        return f"{self.name}@{self.place}"


def _external(place: str, rows: str) -> tuple[CardKey, ...]:
    """Read "NAME KID USAGE/ID" items, all external authentication keys of one directory."""
    keys = []
    for row in rows.split(","):
        name, kid, *psam = row.split()
        pairs = [usage_id.split("/") for usage_id in psam]
        held = tuple((int(usage, 16), int(number, 16)) for usage, number in pairs)
        keys.append(CardKey(name, place, int(kid, 16), 0x0D, held))
    return tuple(keys)


# Source: ssse-lb002 4.1 (v2 numbering); DPK's PSAM entry cos 7.2.
CARD_KEYS: tuple[CardKey, ...] = (
    CardKey("CMK", "MF", 0x00, 0x00),
    CardKey("EMK-S", "SSSE", 0x00, 0x00),
    CardKey("EMK-P", "PSE", 0x00, 0x00),
    CardKey("IRK", "SSSE", 0x00, 0x0E, ((0x67, 0x08),)),
    CardKey("STK", "SSSE", 0x02, 0x07, ((0x48, 0x09),)),
    *_external(
        "SSSE",
        "UK 04 48/12 28/12, BK 05 48/11 28/11, PUK 06 48/10 28/10, RK07 07 48/5D,"
        "RK 0A 47/0A, UK2 0D 48/13",
    ),
    *(CardKey("AMK", place, 0x00, 0x00) for place in ("DF01", "DF02", "DF03", "DF04")),
    *(CardKey("STK", place, 0x82, 0x07) for place in ("DF01", "DF02", "DF03", "DF04")),
    *_external(
        "DF01",
        "UK1 83 48/42, UK2 84 48/43, UK3 85 47/24, UK4 86 47/25, UK5 87 48/44, RK 88 47/2E,"
        "UK6 89 47/2F, UK7 8A 47/30, UK8 8B 47/31, UK9 8C 47/32, UKA 8D 47/33, UKB 8E 47/34",
    ),
    *_external(
        "DF02",
        "UK1 83 47/26, UK2 84 48/45, UK3 85 48/46, UK4 86 47/27, UK5 87 47/28, RK 88 47/35,"
        "UK6 89 47/36",
    ),
    *_external(
        "DF03",
        "LK 83 48/40, RK1 84 67/2B, RK2 85 67/2C, UK1 86 48/47, UK2 87 47/29, UK3 88 48/48,"
        "UK4 89 47/37, UK5 8A 47/38, UK6 8B 47/39, UK7 8C 47/3A, UK8 8D 47/3B",
    ),
    *_external("DF04", "DSK 81, LK 83 48/41, RK1 84 67/2D, UK1 85 48/49, UK2 86 47/2A"),
    CardKey("DLK", "DF04", 0x01, 0x08),
    CardKey("DPK", "DF04", 0x01, 0x09, ((0x42, 0x01),)),
    CardKey("DTK", "DF04", 0x01, 0x0A),
    *(CardKey("AMK", place, 0x00, 0x00) for place in ("DF05", "DF06", "DF07")),
    *_external("DF05", "UK1 83 47/B4"),
    *_external("DF06", "LK 83, RK 84, UK1 85 48/53, UK2 86 48/54"),
    *_external(
        "DF07",
        "RK1 83 47/3D, RK2 84 47/3F, RK3 85 47/B1, UK1 86 47/3E, UK2 87 47/B0, UK3 88 47/B2",
    ),
)


def factors(region: str, csn8: bytes) -> dict[Tier, bytes]:
    """Return the 8-byte factor that leads *to* each tier: province, city, card.

    Shapes: `region` 6 digits; `csn8` the last 8 historical bytes. Source: ssse-lb002 5.2.
    """
    return {
        Tier.PROVINCE: province_factor(region),
        Tier.CITY: city_factor(region),
        Tier.CARD: csn8,
    }


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a key comes from: a value and the tier that holds it.

    A ministry root is diversified three times; a transport master key or a key only a city
    uses has `tier=Tier.CITY` and is diversified once, over the card's number.
    """

    key: KeyValue
    tier: Tier = Tier.MINISTRY

    def ladder(self, region: str, csn8: bytes) -> dict[Tier, KeyValue]:
        """Return the value at every tier from this one down to the card. Source: cos 4.6."""
        steps = {self.tier: self.key}
        key = self.key
        for tier, factor in factors(region, csn8).items():
            if tier < self.tier:
                key = steps[tier] = key.child(factor)
        return steps

    def at(self, tier: Tier, region: str, csn8: bytes = bytes(8)) -> KeyValue:
        """Return the value that `tier` holds; `csn8` matters for the card's only.

        Errors: ValueError for a tier above this one's, whose keys it cannot know.
        """
        if tier > self.tier:
            raise ValueError(f"a key of the {self.tier.name.lower()} cannot be led upwards")
        return self.ladder(region, csn8)[tier]


class KeySet(Mapping[str, KeyValue]):
    """The keys of one card by label ("UK@SSSE"), immutable; the repr lists labels and no keys."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Mapping[str, KeyValue]) -> None:
        self._keys = dict(keys)

    @classmethod
    def derive(cls, origins: Mapping[str, Origin], region: str, csn8: bytes) -> "KeySet":
        """Derive a card's keys from their origins. Source: ssse-lb002 5.2, 6; cos 4.6."""
        card = Tier.CARD
        return cls({label: origins[label].at(card, region, csn8) for label in origins})

    def __getitem__(self, label: str) -> KeyValue:
        return self._keys[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return f"<KeySet {' '.join(self._keys)}>"


@dataclass(frozen=True, slots=True)
class BankKeys:
    """The bank's three keys, as issuer master keys (MDK) or as one card's (UDK).

    Always 3DES; a hierarchy of its own that shares no key with the social security side.
    Source: pse-pboc 4.1, 10.
    """

    ac: KeyValue
    mac: KeyValue
    enc: KeyValue

    @classmethod
    def of(cls, ac: bytes, mac: bytes, enc: bytes) -> "BankKeys":
        """Build from three 16-byte values."""
        return cls(KeyValue(ac), KeyValue(mac), KeyValue(enc))

    def card_keys(self, pan: str, psn: str = "00") -> "BankKeys":
        """Derive one card's UDKs from these MDKs. Source: pse-pboc 4.1 (option A)."""
        return BankKeys.of(*(udk(key.value, pan, psn) for key in (self.ac, self.mac, self.enc)))

    @property
    def joined(self) -> bytes:
        """AC, MAC, ENC: the 48 plain bytes of DGI 8000."""
        return self.ac.value + self.mac.value + self.enc.value

    @property
    def kcvs(self) -> bytes:
        """The three check values, 9 bytes: DGI 9000."""
        return self.ac.kcv + self.mac.kcv + self.enc.kcv

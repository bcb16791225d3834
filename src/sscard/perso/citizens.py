"""Fictional citizens: people and cards that exist nowhere, the same for the same seed.

Identity numbers and places of birth lie in regions 99xxxx, which are assigned to nobody; check
digits are right (ssse-lb002 1.3, 1.4). Names are of every kind a card must hold: common ones,
characters outside GB 2312, characters of four bytes in GB 18030, and names so long that they
need 姓名扩展. `Citizen.overrides` puts one onto a card of any profile.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from hashlib import sha256
from itertools import count, islice
from typing import TypeVar

from sscard.iso.text import from_gbk, gbk
from sscard.spec.checks import card_number_check, id_number_check

__all__ = ["Citizen", "NameKind", "citizen", "citizens"]

_T = TypeVar("_T")

NAME_SIZE, EXTENSION_SIZE = 0x1E, 0x14
"""Bytes of 姓名 and 姓名扩展 (ssse-lb002 2.3)."""
_SURNAMES: tuple[str, ...] = (*"赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨", "欧阳", "司马", "诸葛", "上官")
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超兰霞平测试样例"
_RARE = "堃喆龑赟昇珺燊犇旻祎晳翀鋆頔旸锜玥"
"""Outside GB 2312 and in GBK: two bytes."""
_FOUR_BYTES = "㛃㼆𠅤𤧛𬀩𬭎𫖮𦭜"
"""Not in GBK: four bytes in GB 18030."""
_LONG = ("阿卜杜热合曼", "买买提艾力", "古丽米热", "努尔兰别克", "吐尔逊江", "斯琴高娃")
_DOT = "·"
_PLACES = ("990101", "990102", "990201", "990305", "999901", "999902")
_FIRST_BIRTH, _BIRTHS = date(1930, 1, 1), 85 * 365
_FIRST_ISSUE, _ISSUES = date(2016, 1, 1), 9 * 365
_STRIDE = 7919
"""Prime to the number of days, which is more than that of numbers with the same last three."""
_VALID_YEARS = 10
_NATIONS = 56
_NUMBERS = 10_000_000
_PERSONS = 100_000


class NameKind(Enum):
    """What a name asks of a card: `FOUR_BYTES` GB 18030, `LONG` both items."""

    COMMON = "common"
    RARE = "rare"
    FOUR_BYTES = "four bytes"
    LONG = "long"


_KINDS = (*[NameKind.COMMON] * 6, *[NameKind.RARE] * 2, NameKind.FOUR_BYTES, NameKind.LONG)


@dataclass(frozen=True, slots=True)
class Citizen:
    """One person and the card made out to him.

    Shapes: `id_number` 18 characters with the check digit, `card_number` 9 with the check
    character; `sex` "1" male, "2" female; `nation` two digits of GB 3304; `region` and
    `birthplace` six digits; `person_id` 12 characters; `serial` 8 digits, the card's in its ATR.
    """

    name: str
    name_kind: NameKind
    id_number: str
    sex: str
    nation: str
    birthplace: str
    birth: date
    region: str
    card_number: str
    person_id: str
    serial: str
    issued: date
    expires: date

    @property
    def name_parts(self) -> tuple[str, str]:
        """What stands in 姓名, whole characters only, and what is left for 姓名扩展."""
        head = from_gbk(gbk(self.name, NAME_SIZE))
        return head, self.name[len(head) :]

    def overrides(self, *, generation: int = 2) -> dict[str, object]:
        """Return the values that make a card of a profile this person's, for `Profile.load`.

        The card gets a chip and an ATR of its own, so its keys are its own, too. A card of
        `generation` 1 has no 姓名扩展 and no EF0D: a long name stays cut.
        """
        name, extension = self.name_parts
        chip = f"SSC{self.serial[-5:]}".encode("ascii")
        uuid = sha256(f"{self.region}{self.serial}".encode("ascii")).digest()[:16]
        holder: dict[str, object] = {
            "08": self.id_number,
            "09": name,
            "0A": self.sex,
            "0B": self.nation,
            "0C": self.birthplace,
            "0D": _digits(self.birth),
        }
        issuer: dict[str, object] = {
            "04": f"9156000002{self.region}{self.region}00",
            "05": _digits(self.issued),
            "06": _digits(self.expires),
            "07": self.card_number,
        }
        values: dict[str, object] = {
            "region": self.region,
            "chip.serial": chip.hex(),
            "chip.uuid": uuid.hex(),
            "atr.historical": f"0087CF20018649{self.region[:4]}{self.serial}",
        }
        if generation > 1:
            holder["4E"] = extension
            values["ssse.ef.EF0D.values.EA"] = self.person_id
            values["ssse.ef.EF0D.values.EB"] = self.region
        values |= {f"ssse.ef.EF05.values.{tag}": value for tag, value in issuer.items()}
        return values | {f"ssse.ef.EF06.values.{tag}": value for tag, value in holder.items()}


def citizens(seed: str | int = 0, *, region: str = "999901") -> Iterator[Citizen]:
    """Yield citizens without end; no two of a seed share an identity, card or serial number."""
    return (citizen(index, seed, region=region) for index in count())


def citizen(index: int, seed: str | int = 0, *, region: str = "999901") -> Citizen:
    """Return one citizen of a seed; `region` is the issuing city's, of 99xxxx.

    The first ten of any seed have names of every kind. Errors: ValueError for another region.
    """
    if len(region) != 6 or not (region.isascii() and region.isdigit() and region[:2] == "99"):
        raise ValueError(f"fictional citizens live in regions 99xxxx, not in {region!r}")
    common, own = _Draw(f"{seed}"), _Draw(f"{seed}/{index}")
    first = common.below(_NUMBERS)
    number = (first + index) % _NUMBERS
    place = own.choice(_PLACES)
    # People whose last three digits are the same are never born on the same day.
    day, order = divmod(number, 1000)
    apart = day * _STRIDE + _Draw(f"{seed}/order {order}").below(_BIRTHS)
    birth = _FIRST_BIRTH + timedelta(days=apart % _BIRTHS)
    body = f"{place}{_digits(birth)}{order:03d}"
    issued = _FIRST_ISSUE + timedelta(days=own.below(_ISSUES))
    issued = issued.replace(day=min(issued.day, 28))
    kind = _KINDS[(common.below(len(_KINDS)) + index) % len(_KINDS)]
    card = f"T{number:07d}"
    return Citizen(
        name=_name(kind, own),
        name_kind=kind,
        id_number=body + id_number_check(body),
        sex="1" if order % 2 else "2",
        nation=f"{own.below(_NATIONS) + 1:02d}" if kind is NameKind.LONG else "01",
        birthplace=place,
        birth=birth,
        region=region,
        card_number=card + card_number_check(card),
        person_id=f"P{region}{number % _PERSONS:05d}",
        serial=f"{first + index:08d}",
        issued=issued,
        expires=issued.replace(year=issued.year + _VALID_YEARS),
    )


def _name(kind: NameKind, draw: "_Draw") -> str:
    if kind is NameKind.LONG:
        return _DOT.join(draw.choice(_LONG) for _ in range(3)) + _DOT + draw.choice(_LONG)[:3]
    given = {
        NameKind.COMMON: _GIVEN,
        NameKind.RARE: _RARE,
        NameKind.FOUR_BYTES: _FOUR_BYTES,
    }[kind]
    name = draw.choice(_SURNAMES) + draw.choice(given)
    return name + draw.choice(_GIVEN) if draw.below(3) else name


def _digits(day: date) -> str:
    return day.strftime("%Y%m%d")


class _Draw:
    """Numbers from a seed: SHA-256 in counter mode, the same in every version of Python."""

    def __init__(self, seed: str) -> None:
        blocks = (sha256(f"{seed}#{n}".encode()).digest() for n in count())
        self._bytes = (byte for block in blocks for byte in block)

    def below(self, limit: int) -> int:
        """Return a number of 0 to `limit` - 1."""
        return int.from_bytes(bytes(islice(self._bytes, 8)), "big") % limit

    def choice(self, values: Sequence[_T]) -> _T:
        """Return one of `values`."""
        return values[self.below(len(values))]

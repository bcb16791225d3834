"""The debit application of a profile, and the data in it that a state changes (pse-pboc 5.1, 9.3).

`Debit` reads the DGIs the profile was loaded to; what a state wants otherwise comes back as
settings by dotted key, as `Profile.load` takes them. Certificates follow by themselves.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sscard.errors import ProfileError
from sscard.iso import tlv
from sscard.perso.model import Directory
from sscard.perso.profile import Profile
from sscard.spec.dgis import AIP_AFL, AIP_AFL_CASH, FCI, RISK_DATA, is_record

__all__ = ["Debit", "Objects", "Settings"]

Objects = list[tuple[int, bytes]]
"""Data objects in order: tag and value."""
Settings = dict[str, object]

_AFL_SFIS = range(1, 11)
_RECORD, _AIP, _ISSUER_CERTIFICATE = 0x70, 0x82, 0x90
_SIGNED = frozenset(
    (0x8F, 0x90, 0x92, 0x93, 0x9F32, 0x9F46, 0x9F47, 0x9F48, 0x9F2D, 0x9F2E, 0x9F2F)
)
"""What a table [oda] makes: records with these stay its own."""


@dataclass(frozen=True, slots=True)
class Debit:
    """The first directory of the PSE that answers GET PROCESSING OPTIONS."""

    profile: Profile
    directory: Directory
    dgis: Mapping[int, bytes]

    @classmethod
    def of(cls, profile: Profile) -> "Debit":
        """Find it. Errors: ProfileError when the profile has none."""
        pse = profile.pse
        for directory in () if pse is None else pse.directories:
            dgis = dict(directory.dgis)
            if AIP_AFL in dgis:
                return cls(profile, directory, dgis)
        raise ProfileError(f"{profile.name} has no debit application")

    @property
    def path(self) -> str:
        """Its dotted key."""
        return f"pse.df.{self.directory.name}"

    def find(self, tag: int) -> bytes:
        """Return a data object of the records; ProfileError when none has it."""
        held = self._held(tag)
        if held is None:
            raise ProfileError(f"{self.profile.name}: no record has the data object {tag:02X}")
        return held

    def risk(self, tag: int) -> bytes | None:
        """Return an element of the risk data, None without it."""
        for dgi in RISK_DATA:
            for found, value in tlv.parse(self.dgis.get(dgi, b"")):
                if found == tag:
                    return value
        return None

    @property
    def is_certified(self) -> bool:
        """Whether the terminal reads an issuer certificate."""
        return self._held(_ISSUER_CERTIFICATE) is not None

    # ---- changes -----------------------------------------------------------------------------

    def with_records(self, change: Callable[[Objects], Objects]) -> Settings:
        """Return the settings that change the profile's own records; unchanged ones stay."""
        settings: Settings = {}
        for dgi, objects in self._records():
            if _SIGNED & {tag for tag, _ in objects}:
                continue
            changed = change(objects)
            if changed != objects:
                body = b"".join(tlv.encode(tag, value) for tag, value in changed)
                settings |= self._dgi(dgi, tlv.encode(_RECORD, body))
        return settings

    def with_risk(self, elements: Mapping[int, bytes]) -> Settings:
        """Return the settings that give risk data elements other values, or add them."""
        waiting = dict(elements)
        settings: Settings = {}
        for dgi in (dgi for dgi in RISK_DATA if dgi in self.dgis):
            held = tlv.parse(self.dgis[dgi])
            changed = [(tag, waiting.pop(tag, value)) for tag, value in held]
            if dgi == RISK_DATA[-1]:
                changed += waiting.items()
            settings |= self._dgi(dgi, b"".join(tlv.encode(*item) for item in changed))
        return settings

    def with_aip(self, change: Callable[[bytes], bytes]) -> Settings:
        """Return the settings that change the AIP of every answer to GET PROCESSING OPTIONS."""
        settings: Settings = {}
        for dgi in (dgi for dgi in (AIP_AFL, AIP_AFL_CASH) if dgi in self.dgis):
            offer = [
                (tag, change(value) if tag == _AIP else value)
                for tag, value in tlv.parse(self.dgis[dgi])
            ]
            settings |= self._dgi(dgi, b"".join(tlv.encode(*item) for item in offer))
        return settings

    def with_fci(self, change: Callable[[Objects], Objects]) -> Settings:
        """Return the settings that change what stands in the A5 template."""
        ((template, inside),) = tlv.parse(self.dgis[FCI])
        body = b"".join(tlv.encode(*item) for item in change(tlv.parse(inside)))
        return self._dgi(FCI, tlv.encode(template, body))

    def with_oda(self, **values: object) -> Settings:
        """Return settings of the table [oda]."""
        return {f"{self.path}.oda.{key}": value for key, value in values.items()}

    def _held(self, tag: int) -> bytes | None:
        for _, objects in self._records():
            for found, value in objects:
                if found == tag:
                    return value
        return None

    def _records(self) -> Iterator[tuple[int, Objects]]:
        for dgi, value in self.dgis.items():
            if is_record(dgi) and dgi >> 8 in _AFL_SFIS:
                ((template, inside),) = tlv.parse(value)
                if template == _RECORD:
                    yield dgi, tlv.parse(inside)

    def _dgi(self, dgi: int, value: bytes) -> Settings:
        return {f"{self.path}.dgi.{dgi:04X}": value.hex()}

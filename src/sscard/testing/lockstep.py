"""One card and its model on a bench: how a machine sends, compares and remembers."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from hypothesis.stateful import initialize

from sscard.testing.card_machine import CardMachine
from sscard.testing.models.ssse import SsseModel
from sscard.testing.models.ssse_tables import HOLDER, V1, V2, matrix
from sscard.testing.models.ssse_values import Contents, Policy
from sscard.testing.monitors import Monitor, ReadRights
from sscard.testing.script import CardLine
from sscard.testing.subjects import first_generation, subject, third_generation

__all__ = ["OUTSIDE", "SELECT_SSSE", "SsseBench"]

SELECT_SSSE: Final = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
OUTSIDE: Final = {
    "00A40000023F00": "MF",
    "00A404000E315041592E5359532E4444463031": "PSE",
    "00A4040008A000000333010101": "PSE",
}
_PSE_NAMES: Final = {
    bytes.fromhex(apdu[10:]): place for apdu, place in OUTSIDE.items() if place == "PSE"
}
_TABLES: Final = {"v1": V1}


class SsseBench(CardMachine):
    """A card of `profile` with `settings`, and the model of what it must do."""

    profile: ClassVar[str] = "v2"
    settings: ClassVar[Mapping[str, str]] = {}
    model: SsseModel

    def prepare(self) -> None:
        """Put a card in: a copy of the one that was personalised for these settings."""
        self.subject = subject(self.profile, tuple(sorted(self.settings.items())))
        self.model = self.modelled()
        self.changed: dict[tuple[str, str], Contents] = {}
        self.used = bytes(8)
        self.steps = 0
        self.away = 0
        self.card = self.subject.snapshot.fork()
        self.insert(self.card.power_on(), CardLine(self.profile, tuple(self.settings.items())))

    def monitors(self) -> Sequence[Monitor]:
        """Return all monitors; without the table of rights, where a setting says otherwise."""
        own_rules = any(name.endswith(".read") for name in self.settings)
        return [
            one for one in super().monitors() if not (own_rules and one.name == ReadRights.name)
        ]

    @initialize()
    def begin(self) -> None:
        """Most sequences begin in the SSSE."""
        self.send(SELECT_SSSE, "SELECT SSSE")

    def modelled(self) -> SsseModel:
        """Return the model of this card: what each setting means is said here once more."""
        settings = dict(self.settings)
        table = matrix(_TABLES.get(self.profile, V2))
        values = {("SSSE", fid): texts for fid, texts in HOLDER.items()}
        if self.profile == "v1":
            first_generation(values)
        if self.profile == "v3":
            third_generation(table, values)
        update_sm = {}
        for name in [name for name in settings if name.endswith(".sm_update")]:
            *path, fid, _ = name.split(".")
            update_sm[path[2] if len(path) > 2 else "SSSE", fid] = settings.pop(name)
        for name in [name for name in settings if name.endswith(".read")]:
            *path, fid, _ = name.split(".")
            place = path[2] if len(path) > 2 else "SSSE"
            file = next(f for f in table.files if (f.place, f.fid) == (place, fid))
            file.read = settings.pop(name).replace("K", "")
        marker = "03" if self.profile == "v3" else ""
        marker = settings.pop("fci_alg_marker", marker)
        return SsseModel(
            table,
            self.subject.keys,
            algorithm=self.subject.algorithm,
            policy=Policy(**settings, marker=marker, update_sm=update_sm),
            values=values,
            names=_PSE_NAMES if self.profile == "sample" else {},
        )

    def send(self, apdu: bytes | str, name: str = "") -> bytes:
        """Send a command to the card, compare the response with the model's, and keep it."""
        inside = self.model.session.place in self.model.lasting
        self.away = 0 if inside else self.away + 1
        return super().send(apdu, name)

    # --- what is here ---------------------------

    @property
    def place(self) -> str:
        """Where the card stands, as the model has it; the SSSE's name when it is elsewhere."""
        here = self.model.session.place
        return here if here in self.model.lasting else "SSSE"

    def here(self, number: int) -> Contents:
        """Some file of this directory."""
        files = [held for (place, _), held in self.model.contents.items() if place == self.place]
        return files[number % len(files)]

    def key(self, place: str, kid: int, spoil: str) -> bytes:
        """A key, or one that is nearly it: another of its directory, its sibling's of this KID."""
        keys = self.subject.keys
        near = [entry for entry in keys if entry != (place, kid)]
        if spoil == "sibling":
            near = [entry for entry in near if entry[1] == kid] or near
        elif spoil == "key":
            near = [entry for entry in near if entry[0] == place] or near
        else:
            near = []
        entry = near[0] if near else (place, kid)
        return keys.get(entry, bytes(range(16)))

    def challenge(self, spoil: str = "", length: int = 8) -> bytes:
        """Draw a challenge; `stale` uses one that is spent, or none."""
        if spoil == "stale":
            return self.used
        answer = self.send(bytes((0, 0x84, 0, 0, length)), "GET CHALLENGE")[:-2]
        self.used = (answer + bytes(8))[:8]
        return self.used

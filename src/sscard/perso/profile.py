"""Profiles: what a card is, as data (README of the reference: a `[?]` is a value in a profile).

A profile is TOML: shipped with the package or a user's own, extending another, with single
values set from outside. `Profile.load` gives it checked and resolved for one card: access
conditions as AC2 words, keys diversified, records as bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sscard.errors import ProfileError
from sscard.perso import parse, sources
from sscard.perso.model import Chip, Directory, File, Key, TransportKey
from sscard.perso.place import Identity
from sscard.perso.table import Table
from sscard.spec.codes import KEY_TYPES
from sscard.spec.options import DEFAULTS
from sscard.spec.pboc import PSE_FID, PSE_NAME
from sscard.spec.ssse import SSSE_FID, SSSE_NAME

__all__ = ["Chip", "Directory", "File", "Key", "Profile", "TransportKey", "names"]

MF_FID = 0x3F00
names = sources.names


@dataclass(frozen=True, slots=True)
class Profile:
    """One card: the blank chip, the card manager and the environments it will get.

    Shapes: `atr_profile` "A", "B" or "C"; `historical` the historical bytes, whose last 8 are
    the card's diversification factor; `options` (name, value) of those not at their default.
    `ssse` or `pse` is None on a card without that environment.
    """

    name: str
    title: str
    region: str
    chip: Chip
    atr_profile: str
    historical: bytes
    transport_key: TransportKey
    options: tuple[tuple[str, str], ...]
    cm: Directory
    ssse: Directory | None
    pse: Directory | None

    @classmethod
    def load(
        cls, name: str, overrides: Mapping[str, object] | None = None, *, state: str = ""
    ) -> "Profile":
        """Load a shipped profile by name, or a file by path, with single values replaced.

        `state` names an overlay for testers (`sources.state_names`), laid under the overrides.

        `overrides` go by dotted key, `{"record_le": "strict", "pin.tries_left": 2}`; options
        need no table before them. Errors: ProfileError naming the key and what may stand there.
        """
        tree = sources.read(name)
        if "level" in tree:
            raise ProfileError(f"{name} is the profile of a PSAM: sscard.sample.new_psam makes it")
        if state:
            tree = sources.in_state(tree, state)
        return _profile(name, sources.with_settings(tree, overrides or {}))

    @property
    def card_factor(self) -> bytes:
        """CSN8: the last 8 historical bytes, the card's diversification factor (cos 0)."""
        return self.historical[-8:]

    @property
    def environments(self) -> tuple[Directory, ...]:
        """The SSSE and the PSE, those that exist, in order of creation."""
        return tuple(ddf for ddf in (self.ssse, self.pse) if ddf is not None)

    def option(self, name: str) -> str:
        """Return the value of an option, its default included."""
        return dict(self.options).get(name, DEFAULTS[name])

    def describe(self) -> str:
        """Return the profile in words, for people; no key values, no contents."""
        lines = [
            f"{self.name}: {self.title}",
            f"  chip {self.chip.serial.hex().upper()}, {self.chip.size // 1024} KiB",
            f"  region {self.region}, card factor {self.card_factor.hex().upper()}",
        ]
        lines += [f"  {name} = {value}" for name, value in self.options]
        for ddf in self.environments:
            lines += _described(ddf, 1)
        return "\n".join(lines)


def _described(directory: Directory, depth: int) -> list[str]:
    kinds = {code: word for word, code in KEY_TYPES.items()}
    indent = "  " * depth
    counts = f"{directory.key_count} keys, {len(directory.files)} files"
    name = directory.df_name.hex().upper()
    lines = [f"{indent}{directory.fid:04X} {name}: {counts}, {directory.own_size} bytes"]
    held = [directory.master, *directory.keys, directory.pin]
    lines += [
        f"{indent}  {kinds[key.type]} {key.id:02X} {key.name}" for key in held if key is not None
    ]
    lines += [
        f"{indent}  {file.fid:04X} kind {file.kind:02X}, {file.capacity} bytes"
        for file in directory.files
    ]
    for below in directory.directories:
        lines += _described(below, depth + 1)
    return lines


def _profile(name: str, tree: sources.Tree) -> Profile:
    top = Table(tree)
    top.number("format", 1, 1)
    region = top.text("region")
    if len(region) != 6 or not region.isdecimal():
        top.wrong("region", "a region code of 6 digits")
    atr = top.table("atr")
    identity = Identity(region, atr.hex_bytes("historical"))
    if not 8 <= len(identity.historical) <= 15:
        atr.wrong("historical", "8 to 15 bytes in hex")
    atr_profile = atr.choice("profile", {word: word for word in "ABC"})
    atr.finish()
    made = Profile(
        name=name,
        title=top.text("title"),
        region=region,
        chip=parse.chip(top.table("chip")),
        atr_profile=atr_profile,
        historical=identity.historical,
        transport_key=parse.transport_key(top.table("transport_key")),
        options=parse.options(top.table("options")),
        cm=parse.directory(top.table("cm"), identity, MF_FID, 0),
        ssse=_environment(top, "ssse", identity, SSSE_FID, 1, SSSE_NAME),
        pse=_environment(top, "pse", identity, PSE_FID, 2, PSE_NAME),
    )
    top.finish()
    for ddf in (made.cm, *made.environments):
        if ddf.master is None:
            raise ProfileError(f"{name}: the directory {ddf.fid:04X} has no master key")
    return made


def _environment(
    top: Table, section: str, identity: Identity, fid: int, domain: int, df_name: bytes
) -> Directory | None:
    if section not in top:
        return None
    return parse.directory(top.table(section), identity, fid, domain, df_name=df_name)

"""Where profiles come from: shipped TOML files, a user's own, `extends`, overlays and settings.

All of this happens on plain tables; what they mean is `perso.parse`.
"""

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from sscard.errors import ProfileError
from sscard.spec.options import BY_NAME

__all__ = [
    "Tree",
    "in_state",
    "names",
    "psam_names",
    "read",
    "state_names",
    "state_title",
    "with_settings",
]

FORMAT = 1
_SECTIONS = ("ssse", "pse")
_PSAM = "psam"
"""How the names of PSAM profiles begin."""

_STATES = "states"
"""The folder of overlays that give a card of any profile a state for testers."""
_WAYS = {
    "value": ("root", "factors", "mdk"),
    "root": ("value", "mdk"),
    "mdk": ("value", "root", "factors"),
    "content": ("values", "rows"),
    "values": ("content",),
    "rows": ("content",),
}
"""The ways to say what a key is or what a file holds, with what each makes void."""

_KEY_FILES = {"ca", "issuer", "signer", "icc", "pin"}
"""What in a table [oda] may be a file (`perso.oda`)."""

Tree = dict[str, object]
"""A table as TOML gives it."""


def names() -> list[str]:
    """Return the names of the shipped card profiles, sorted."""
    return [name for name in _all_names() if not name.startswith(_PSAM)]


def psam_names() -> list[str]:
    """Return the names of the shipped PSAM profiles, sorted."""
    return [name for name in _all_names() if name.startswith(_PSAM)]


def _all_names() -> list[str]:
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in _shipped().iterdir()
        if entry.name.endswith(".toml")
    )


def state_names() -> list[str]:
    """Return the names of the shipped overlays, sorted."""
    found = (entry.name for entry in (_shipped() / _STATES).iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def state_title(state: str) -> str:
    """Return what an overlay says of itself. Errors: ProfileError."""
    return str(_overlay(state)["title"])


def in_state(tree: Tree, state: str) -> Tree:
    """Return `tree` with a shipped overlay laid over it. Errors: ProfileError."""
    over = _overlay(state)
    if not isinstance(tree.get("ssse"), Mapping):
        raise ProfileError(f"the state {state} is one of the SSSE, which the profile does not have")
    return _merged(tree, {key: over[key] for key in over if key not in ("format", "title")})


def _overlay(state: str) -> Tree:
    if state not in state_names():
        raise ProfileError(f"there is no overlay {state}; there are: {', '.join(state_names())}")
    return tomllib.loads((_shipped() / _STATES / f"{state}.toml").read_text("utf-8"))


def read(name: str) -> Tree:
    """Return the merged tables of a profile: its file laid over the profiles it extends.

    `name` is that of a shipped profile, or a path (with a slash, or ending in .toml); a path
    in `extends` starts from the file it stands in. Besides the whole profile, `[ssse]` and
    `[pse]` may extend the same section of another one. Errors: ProfileError.
    """
    return _read(name, None, ())


def with_settings(tree: Tree, settings: Mapping[str, object]) -> Tree:
    """Return `tree` with single values replaced: dotted keys, options without their table.

    `pin.x` is the PIN of the first application that has one, the SSSE before the PSE.
    """
    for dotted, value in settings.items():
        path = _path(tree, dotted)
        if not all(path):
            raise ProfileError(f"{dotted!r} is not a dotted key")
        patch: Tree = {path[-1]: value}
        for part in reversed(path[:-1]):
            patch = {part: patch}
        tree = _merged(tree, patch)
    return tree


def _path(tree: Tree, dotted: str) -> list[str]:
    path = dotted.split(".")
    if path[0] == "pin":
        place = next(_pins(tree), None)
        if place is None:
            raise ProfileError(f"{dotted}: the profile has no PIN")
        return [*place, *path]
    return ["options", *path] if dotted in BY_NAME else path


def _pins(tree: Mapping[str, object], place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the places of tables that hold a PIN, SSSE first, directories before those below."""
    if not place:
        for section in _SECTIONS:
            inner = tree.get(section)
            if isinstance(inner, Mapping):
                yield from _pins(inner, (section,))
        return
    if isinstance(tree.get("pin"), Mapping):
        yield place
    below = tree.get("df")
    for name, inner in below.items() if isinstance(below, Mapping) else ():
        if isinstance(inner, Mapping):
            yield from _pins(inner, (*place, "df", name))


def _shipped() -> Traversable:
    return files("sscard") / "profiles"


def _read(name: str, beside: Path | None, chain: tuple[str, ...]) -> Tree:
    text, key, folder = _locate(name, beside)
    if key in chain:
        raise ProfileError(f"profiles extend each other in a circle: {' -> '.join((*chain, key))}")
    chain = (*chain, key)
    try:
        tree = _rooted(tomllib.loads(text), folder)
    except tomllib.TOMLDecodeError as wrong:
        raise ProfileError(f"profile {name}: {wrong}") from None
    if tree.get("format") != FORMAT:
        raise ProfileError(f"profile {name}: format = {tree.get('format')!r}, must be {FORMAT}")
    parent = _extends(tree, name)
    for section in _SECTIONS:
        inner = tree.get(section)
        if not isinstance(inner, dict):
            continue
        base = _extends(inner, f"{name}: {section}")
        if base is not None:
            other = _read(base, folder, chain).get(section)
            if not isinstance(other, dict):
                raise ProfileError(f"profile {base} has no [{section}] for {name} to extend")
            tree[section] = _merged(other, inner)
    return tree if parent is None else _merged(_read(parent, folder, chain), tree)


def _rooted(tree: Tree, folder: Path | None) -> Tree:
    """Have the key files that tables [oda] name start from the folder the profile stands in."""
    for name, inner in tree.items():
        if not isinstance(inner, dict):
            continue
        _rooted(inner, folder)
        for word in _KEY_FILES & inner.keys() if name == "oda" else ():
            path = inner[word]
            if isinstance(path, str) and path.endswith(".toml"):
                inner[word] = str((folder or Path()) / path)
    return tree


def _extends(table: Tree, where: str) -> str | None:
    parent = table.pop("extends", None)
    if parent is not None and not isinstance(parent, str):
        raise ProfileError(f"profile {where}: extends must be the name of one profile")
    return parent


def _locate(name: str, beside: Path | None) -> tuple[str, str, Path | None]:
    """Return a profile's text, a key that identifies it, and the folder paths in it start from."""
    if "/" in name or name.endswith(".toml"):
        path = (beside or Path()) / name
        try:
            return path.read_text("utf-8"), str(path.resolve()), path.parent
        except (OSError, UnicodeDecodeError) as wrong:
            raise ProfileError(f"profile {name} cannot be read: {wrong}") from None
    if name not in _all_names():
        raise ProfileError(f"there is no profile {name}; there are: {', '.join(_all_names())}")
    return (_shipped() / f"{name}.toml").read_text("utf-8"), name, None


def _merged(under: Mapping[str, object], over: Mapping[str, object]) -> Tree:
    """Lay one tree over another: tables merge, everything else is replaced.

    A key's value and a file's contents come from one place: a new one displaces the old.
    """
    result = dict(under)
    for word in _WAYS.keys() & over.keys():
        for other in _WAYS[word]:
            if other == "values" or not isinstance(result.get(other), Mapping):
                result.pop(other, None)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return result

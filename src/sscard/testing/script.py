"""APDU scripts: one parser for tests, replay and shrinking (docs/apdu-script.md).

`parse` gives a tree of frozen lines, `render` its text again; `parse(render(s)) == s`. Plain
files of `scriptor` are scripts too. Running them is `sscard.testing.runner`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from sscard.errors import ScriptError

__all__ = [
    "Apdu",
    "CardLine",
    "Comment",
    "EepromLine",
    "Exit",
    "Expect",
    "Line",
    "RandomLine",
    "Reset",
    "Script",
    "parse",
    "render",
]


@dataclass(frozen=True, slots=True)
class Expect:
    """What a response must look like, as patterns of hex digits.

    In `data` and `sw` a `?` stands for any digit; in `data` a `*` for any number of bytes.
    `data` None: not looked at; "": there must be none. `sw` holds one or more patterns of four
    digits, any of which will do.
    """

    sw: tuple[str, ...] = ("????",)
    data: str | None = None

    def matches(self, response: bytes) -> bool:
        """Whether data and status word of a response of at least two bytes are as expected."""
        digits = response.hex().upper()
        if not any(_fits(pattern, digits[-4:]) for pattern in self.sw):
            return False
        return self.data is None or _fits(self.data, digits[:-4])

    def __str__(self) -> str:
        shown = {None: "", "": "- ", "??*": "data "}.get(self.data)
        if shown is None:
            shown = f"{self.data} ".replace("*", "...")
        return shown + "|".join(self.sw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What every line has: its number (not part of its value) and a comment after it."""

    number: int = field(default=0, compare=False)
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Comment(Line):
    """A line without a statement: `comment` is its text, "" for a blank line."""


@dataclass(frozen=True, slots=True)
class Apdu(Line):
    """A command to send, 1 byte or more, under a name, and what to expect of the response."""

    name: str
    command: bytes
    expect: Expect | None = None


@dataclass(frozen=True, slots=True)
class Reset(Line):
    """Reset the card; `atr` is a pattern for its answer, None when that is not looked at."""

    atr: str | None = None

    def matches(self, atr: bytes) -> bool:
        """Whether the answer to reset is as expected."""
        return self.atr is None or _fits(self.atr, atr.hex().upper())


@dataclass(frozen=True, slots=True)
class Exit(Line):
    """The script ends here; what follows is not read."""


@dataclass(frozen=True, slots=True)
class CardLine(Line):
    """Go on with a new card of this profile, with single values set (name, value)."""

    profile: str
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RandomLine(Line):
    """The next random numbers the card will use, oldest first."""

    values: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class EepromLine(Line):
    """An assertion about what the card has stored: a path, a comparison, a literal."""

    path: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Script:
    """A script: its lines, and where it came from for messages."""

    lines: tuple[Line, ...]
    source: str = field(default="<script>", compare=False)


OPERATORS = ("==", "!=", "<=", ">=", "<", ">")

_NO_BYTES = "-"
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_GAP = re.compile(r"\s{2,}|\t")
_COMMENT = re.compile(r"(?:^|(?<=\s))(#|//|;)(.*)$")
_PATTERN = re.compile(r"[0-9A-F?*]*")
_EEPROM = re.compile(r"eeprom\s+(\S+?)\s*(==|!=|<=|>=|<|>)\s*(\S+)")


def parse(text: str, source: str = "<script>") -> Script:
    """Parse a script. Errors: ScriptError with source and line number."""
    lines = []
    for number, logical in _logical_lines(text):
        statement, comment = _without_comment(logical)
        try:
            line = _statement(statement, number, comment)
        except ValueError as wrong:
            raise ScriptError(f"{source}:{number}: {wrong}") from None
        lines.append(line)
        if isinstance(line, Exit):
            break
    return Script(tuple(lines), source)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number of the first line, text) with lines that end in a backslash joined."""
    first, held = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        first = first or number
        if line.endswith("\\"):
            held += line[:-1].rstrip() + " "
            continue
        yield first, held + line
        first, held = 0, ""
    if held:
        yield first, held


def _without_comment(line: str) -> tuple[str, str]:
    match = _COMMENT.search(line)
    if match is None:
        return line.strip(), ""
    return line[: match.start()].strip(), match[2].strip()


def _statement(text: str, number: int, comment: str) -> Line:
    if not text:
        return Comment(number=number, comment=comment)
    word = text.split(None, 1)[0]
    body, arrow, expected = text.partition("->")
    if word == "card":
        return _card(text, number, comment)
    if word == "random":
        return RandomLine(_random(text), number=number, comment=comment)
    if word == "eeprom":
        match = _EEPROM.fullmatch(text)
        if match is None:
            raise ValueError(f"write `eeprom PATH == VALUE` (or one of {', '.join(OPERATORS)})")
        return EepromLine(*match.groups(), number=number, comment=comment)
    if text.lower() == "exit":
        return Exit(number=number, comment=comment)
    if word.lower() == "reset" and not any(_is_hex(token) for token in body.split()):
        atr = _pattern(expected.split()) if arrow else None
        return Reset(atr, number=number, comment=comment)
    name, command = _command(body.strip())
    expect = _expect(expected.split()) if arrow else None
    return Apdu(name, command, expect, number=number, comment=comment)


def _card(text: str, number: int, comment: str) -> CardLine:
    words = text.split()[1:]
    if not words:
        raise ValueError("write `card PROFILE key=value ..`")
    settings = []
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if not (key and equals):
            raise ValueError(f"{word!r} is not of the form key=value")
        settings.append((key, value))
    return CardLine(words[0], tuple(settings), number=number, comment=comment)


def _random(text: str) -> tuple[bytes, ...]:
    values = text.split()[1:]
    if not values or not all(_is_hex(value) for value in values):
        raise ValueError("write `random HEX ..`: one value in hex for each time the card asks")
    return tuple(bytes.fromhex(value) for value in values)


# ---- commands --------------------------------------------------------------------------------


def _command(body: str) -> tuple[str, bytes]:
    """Return name and bytes of `[name] hex ..`, or `[name] -`; ValueError when it is not clear."""
    tokens = body.split()
    if tokens[-1:] == [_NO_BYTES]:
        return " ".join(tokens[:-1]).removesuffix(":"), b""
    if tokens and all(_is_hex(token) for token in tokens):
        return "", bytes.fromhex("".join(tokens))
    name, colon, digits = body.partition(":")
    if not colon:
        name, digits = _parted(body)
    if not digits or not all(_is_hex(token) for token in digits.split()):
        raise ValueError(f"{body!r} has no command: bytes are pairs of hex digits")
    return " ".join(name.split()), bytes.fromhex(digits)


def _parted(body: str) -> tuple[str, str]:
    """Part name and digits: at the first wide gap with only hex after it, else by words.

    By words, the command must begin with its whole header: in `tag 05 00 B2 ..` nobody can
    tell what the 05 belongs to.
    """
    for gap in _GAP.finditer(body):
        name, digits = body[: gap.start()], body[gap.end() :]
        tokens = digits.split()
        if all(_is_hex(token) for token in tokens):
            _require_clear(name, tokens, _begins_with_header(tokens) or _by_bytes(tokens))
            return name, digits
    words = body.split()
    start = len(words)
    while start and _is_hex(words[start - 1]):
        start -= 1
    name, tokens = " ".join(words[:start]), words[start:]
    if tokens:
        _require_clear(name, tokens, _begins_with_header(tokens))
    return name, " ".join(tokens)


def _require_clear(name: str, tokens: list[str], whole: bool) -> None:
    """Refuse a name whose end could be part of the command, or the other way round."""
    last = name.rsplit(maxsplit=1)[-1] if name else ""
    half = bool(re.fullmatch(r"[0-9A-Fa-f]*[0-9][0-9A-Fa-f]*", last)) and len(last) % 2
    if not whole or half:
        raise ValueError(
            f"where does the name end? write `{name or 'name'}: {' '.join(tokens)}`, or put two"
            " spaces before the command"
        )


def _begins_with_header(tokens: list[str]) -> bool:
    return len(tokens[0]) >= 8


def _by_bytes(tokens: list[str]) -> bool:
    return len(tokens) >= 4 and all(len(token) == 2 for token in tokens)


def _is_hex(token: str) -> bool:
    return _HEX.fullmatch(token) is not None


# ---- expectations ----------------------------------------------------------------------------


def _expect(tokens: list[str]) -> Expect:
    if not tokens:
        raise ValueError("an expectation is `-> [data] SW`, like `-> 9000` or `-> 0504... 63C?`")
    *data, status = tokens
    if status == "...":
        return Expect(data=None if not data else _pattern(data))
    sw = tuple(_pattern([word]) for word in status.split("|"))
    if len(data) == 0 and len(sw) == 1 and len(sw[0]) > 4 and "*" not in sw[0][-4:]:
        return Expect((sw[0][-4:],), sw[0][:-4])  # data and status word in one piece
    if any(len(word) != 4 or "*" in word for word in sw):
        raise ValueError(f"{status!r} is not a status word of four hex digits or ?")
    if not data:
        return Expect(sw)
    if data == [_NO_BYTES]:
        return Expect(sw, "")
    return Expect(sw, "??*" if data == ["data"] else _pattern(data))


def _pattern(tokens: list[str]) -> str:
    """Return hex digits, `?` (also x) and `*` (for ...); ValueError for anything else."""
    joined = "".join(tokens).upper().replace("X", "?").replace("...", "*")
    if not _PATTERN.fullmatch(joined):
        raise ValueError(f"{' '.join(tokens)!r}: expected hex digits, ? for any digit, ... for any")
    if any(len(part) % 2 for part in joined.split("*")):
        raise ValueError(f"{' '.join(tokens)!r} has half a byte")
    return joined


def _fits(pattern: str, digits: str) -> bool:
    expression = "".join({"?": ".", "*": "(?:..)*"}.get(char, char) for char in pattern)
    return re.fullmatch(expression, digits) is not None


# ---- text again ------------------------------------------------------------------------------


def render(script: Script) -> str:
    """Return the text of a script, names and commands in columns; `parse` gives it back."""
    apdus = [line for line in script.lines if isinstance(line, Apdu)]
    width = max((len(line.name) for line in apdus), default=0)
    widest = max((len(_digits(line.command)) for line in apdus), default=0)
    texts = (_rendered(line, width, min(widest, 60)) for line in script.lines)
    return "".join(text + "\n" for text in texts)


def _rendered(line: Line, width: int, widest: int) -> str:
    text = _words(line, width, widest)
    if not line.comment:
        return text.rstrip()
    return f"{text.rstrip()}  # {line.comment}" if text else f"# {line.comment}"


def _words(line: Line, width: int, widest: int) -> str:
    match line:
        case Apdu():
            digits = _digits(line.command)
            name = _name(line.name, digits, width)
            return f"{name}{digits:{widest}}  -> {line.expect}" if line.expect else name + digits
        case Reset():
            return "reset" if line.atr is None else f"reset  -> {line.atr.replace('*', '...')}"
        case CardLine():
            return " ".join(["card", line.profile, *(f"{k}={v}" for k, v in line.settings)])
        case RandomLine():
            return " ".join(["random", *(value.hex().upper() for value in line.values)])
        case EepromLine():
            return f"eeprom {line.path} {line.operator} {line.value}"
        case Exit():
            return "exit"
    return ""


def _name(name: str, digits: str, width: int) -> str:
    """Return the name column; with a colon where the border would not be clear without."""
    if not width:
        return ""
    if not name:
        return " " * (width + 2)
    plain = f"{name:{width}}  "
    try:
        clear = _command(plain + digits)[0] == name
    except ValueError:
        clear = False
    return plain if clear else f"{name}:{' ' * (width - len(name) + 1)}"


def _digits(command: bytes) -> str:
    """Return header and data apart: `0020000003 123456`."""
    if not command:
        return _NO_BYTES
    digits = command.hex().upper()
    return digits if len(command) <= 6 else f"{digits[:10]} {digits[10:]}"

"""`explain`: what some bytes are, told by their looks or by the caller (architecture 3).

Bytes on their own can be ambiguous; `kind` settles what, `domain` where, `directory` in which
DF, and `command` to what they are the answer.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from sscard.cos.trace import Alarm, Event, Exchanged, PoweredOn
from sscard.inspect.explaining import bitfields
from sscard.inspect.explaining.answers import explain_answer, explain_status
from sscard.inspect.explaining.ber import explain_ber, explain_dol, is_ber, is_template
from sscard.inspect.explaining.catalogue import PLACES, lookup, place_name
from sscard.inspect.explaining.commands import explain_command
from sscard.inspect.explaining.records import explain_record, is_record
from sscard.inspect.explanation import Explanation, masked
from sscard.inspect.names import access_words
from sscard.iso.apdu import Command, MalformedApdu
from sscard.iso.atr import Atr, AtrError
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError

__all__ = ["KINDS", "explain", "explain_event"]

_FIRST_ATR_BYTES = frozenset((0x3B, 0x3F))


def explain(
    data: bytes | str,
    *,
    kind: str | None = None,
    domain: str | None = None,
    directory: int | None = None,
    command: bytes | str | None = None,
    reveal: bool = False,
) -> Explanation:
    """Say what bytes mean: an APDU, an answer, a status word, an FCI, an FCP, a record, ...

    `data` are bytes or hex text, blanks allowed. `kind` is one of KINDS, None to judge by the
    looks; `command` makes `data` its answer. `domain` is CM, SSSE, PSE or PSAM, `directory` the FID
    of the current DF: they decide between meanings. Keys, PINs and personal data are left out
    unless `reveal`. Errors: ValueError for text that is not hex, an unknown kind or domain;
    bytes nobody knows are explained as such, never refused.
    """
    raw = _bytes_of(data)
    where = None if domain is None else PLACES.get(domain.upper())
    if domain is not None and where is None:
        raise ValueError(f"a domain is one of {', '.join(PLACES)}, not {domain!r}")
    if kind is not None and kind not in KINDS:
        raise ValueError(f"a kind is one of {', '.join(KINDS)}, not {kind!r}")
    if command is not None:
        tree = _answer(raw, _command_of(command), where, directory)
    elif kind is not None:
        tree = _of_kind(kind, raw, where, directory)
    else:
        tree = _judged(raw, where, directory)
    return tree if reveal else masked(tree)


def explain_event(event: Event, *, reveal: bool = False) -> Explanation:
    """Explain one event of a card's trace: the command, its answer, the rule that refused it."""
    match event:
        case PoweredOn():
            tree = _of_kind("atr", event.atr, None, None)
        case Alarm():
            tree = Explanation("alarm", event.why, ref="cos 1.4")
        case Exchanged():
            tree = _exchange(event)
    return tree if reveal else masked(tree)


def _exchange(event: Exchanged) -> Explanation:
    command = _command_of(event.command)
    place = PLACES.get(event.applet, event.domain)
    asked = _no_command(event.command) if command is None else explain_command(command, place)
    parts = [asked, _answer(event.response, command, place, None)]
    if event.refusal is not None:
        parts.append(Explanation("refused because", event.refusal.why, ref=event.refusal.ref))
    where = "no domain" if place is None else place_name(place)
    cost = f"{event.elapsed_us} us, {event.operations} EEPROM operations"
    return Explanation(asked.label, f"in {where}, {cost}", b"", tuple(parts))


def _bytes_of(data: bytes | str) -> bytes:
    if not isinstance(data, str):
        return bytes(data)
    try:
        return bytes.fromhex("".join(data.replace(":", " ").split()))
    except ValueError:
        raise ValueError(f"not hex digits in pairs: {data[:40]!r}") from None


def _command_of(command: bytes | str) -> Command | None:
    try:
        return Command.parse(_bytes_of(command))
    except MalformedApdu:
        return None


def _no_command(raw: bytes) -> Explanation:
    """Bytes with the wrong lengths; what follows the header may well be a PIN or a key."""
    parts = [Explanation("header", "", raw[:4])]
    if raw[4:]:
        parts.append(Explanation("the rest", "", raw[4:], secret=True))
    return Explanation("command", "not a short command APDU", raw, tuple(parts))


def _answer(
    raw: bytes, command: Command | None, domain: int | None, directory: int | None
) -> Explanation:
    if len(raw) < 2:
        return Explanation("answer", "shorter than a status word", raw)
    return explain_answer(raw, command, domain, directory)


def _judged(raw: bytes, domain: int | None, directory: int | None) -> Explanation:
    """Explain by the looks: the first form that fits, from the surest to the weakest."""
    if len(raw) == 2 and _is_status(raw):
        return explain_status(int.from_bytes(raw))
    if raw[:1] and raw[0] in _FIRST_ATR_BYTES and _is_atr(raw):
        return _of_kind("atr", raw, domain, directory)
    command = _command_of(raw)
    if command is not None and lookup(command.cla, command.ins, domain):
        return explain_command(command, domain, directory)
    if is_template(raw):
        return _of_kind("tlv", raw, domain, directory)
    if is_record(raw):
        return _of_kind("record", raw, domain, directory)
    if len(raw) > 2 and _is_status(raw[-2:]):
        return _answer(raw, None, domain, directory)
    if is_ber(raw) and raw[0] & 0x1F == 0x1F:
        return _of_kind("tlv", raw, domain, directory)
    if command is not None:
        return explain_command(command, domain, directory)
    return Explanation("bytes", "of no form known here", raw)


def _is_status(raw: bytes) -> bool:
    return SW.of(raw).meaning != "unknown status word"


def _is_atr(raw: bytes) -> bool:
    try:
        Atr.parse(raw)
    except AtrError:
        return False
    return True


# --- kinds by name ------------------------------------------------------------------------


def _atr(raw: bytes) -> Explanation:
    try:
        atr = Atr.parse(raw)
    except AtrError as error:
        return Explanation("ATR", f"malformed: {error}", raw)
    history = atr.historical
    parts = [Explanation("historical bytes", f"{len(history)}", history)]
    if len(history) >= 13:
        parts += [
            Explanation("IC maker", "registered identifier", history[-13:-11]),
            Explanation("chip and COS", "the provider's own", history[-11:-8]),
            Explanation("card maker", "registered identifier", history[-8:-6]),
            Explanation("serial", "of the card", history[-6:]),
        ]
    return Explanation("ATR", "", raw, tuple(parts), "cos 1.6")


def _tlv(raw: bytes) -> Explanation:
    try:
        parts = explain_ber(raw)
    except TlvError as error:
        return Explanation("BER-TLV", f"malformed: {error}", raw)
    return parts[0] if len(parts) == 1 else Explanation("BER-TLV", "", raw, parts)


def _access(raw: bytes) -> Explanation:
    words = access_words(int.from_bytes(raw)) if len(raw) == 2 else "not two bytes"
    return Explanation("access condition", words, raw, ref="cos 2.3")


def _status(raw: bytes) -> Explanation:
    if len(raw) != 2:
        return Explanation("SW", "not two bytes", raw)
    return explain_status(int.from_bytes(raw))


_FORMS: Mapping[str, Callable[[bytes], Explanation]] = {
    "sw": _status,
    "atr": _atr,
    "tlv": _tlv,
    "fci": _tlv,
    "fcp": _tlv,
    "dol": lambda raw: explain_dol("data object list", raw),
    "afl": bitfields.explain_afl,
    "aip": bitfields.explain_aip,
    "tvr": bitfields.explain_tvr,
    "cvr": bitfields.explain_cvr,
    "cvm": bitfields.explain_cvm_list,
    "iad": bitfields.explain_iad,
    "auc": bitfields.explain_auc,
    "ada": bitfields.explain_ada,
    "cid": bitfields.explain_cid,
    "ac2": _access,
}

KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "command": "a command APDU",
        "answer": "data and status word",
        "record": "a record of the SSSE",
        "sw": "a status word",
        "atr": "an answer to reset",
        "tlv": "BER-TLV objects",
        "fci": "file control information, 6F",
        "fcp": "file control parameters, 62",
        "dol": "a data object list",
        "afl": "an application file locator",
        "aip": "an application interchange profile",
        "tvr": "terminal verification results or an issuer action code",
        "cvr": "card verification results",
        "cvm": "a cardholder verification method list",
        "iad": "issuer application data, 9F10",
        "auc": "application usage control",
        "ada": "an application default action",
        "cid": "cryptogram information data",
        "ac2": "an access condition",
    }
)
"""What `explain` can be told its data are."""


def _of_kind(kind: str, raw: bytes, domain: int | None, directory: int | None) -> Explanation:
    match kind:
        case "command":
            command = _command_of(raw)
            if command is None:
                return _no_command(raw)
            return explain_command(command, domain, directory)
        case "answer":
            return _answer(raw, None, domain, directory)
        case "record":
            try:
                return Explanation("record", "", raw, explain_record(raw, directory))
            except TlvError as error:
                return Explanation("record", f"malformed: {error}", raw)
        case _:
            return _FORMS[kind](raw)

"""The PSE as the kernel sees it: which commands where, which FCI (pse-pboc 1-3).

One environment, four tables: its directory while it has no owner or is OWNED, its directory
afterwards, an application being personalised, and a debit application in use.
"""

from functools import lru_cache

from sscard.apps.pse import authentication, generate, options, pin, scripts
from sscard.apps.pse.application import Application, is_personalised
from sscard.apps.pse.channel import CHANNEL
from sscard.apps.pse.machine import TRANSACTION
from sscard.apps.pse.personalise import PERSONALISATION
from sscard.apps.pse.reading import READING
from sscard.apps.pse.transaction import Idle, Selected
from sscard.cos.authenticate import AUTHENTICATION, authenticate
from sscard.cos.basic import FILE_ACCESS
from sscard.cos.commands import CommandTable, Survives
from sscard.cos.domain import Domain
from sscard.cos.layout import DomainState
from sscard.cos.manage import MANAGEMENT
from sscard.cos.policy import Applet, plain_fci
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FileNode
from sscard.cos.writekey import WRITE_KEY
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import encode
from sscard.spec.pboc import PPSE_NAME

__all__ = ["DEBIT", "DIRECTORY", "OWNED_DIRECTORY", "PERSONALISING", "PROXIMITY", "PSE_APPLET"]

_ARPC_LENGTH = 10
_DIRECT = CommandTable("direct authentication")


@_DIRECT.command(
    0x00,
    0x82,
    "EXTERNAL AUTHENTICATE",
    p2=None,
    lc=None,
    survives=Survives.BLOCKED,
    ref="cos 4.7; pse-pboc 1.2",
)
def external_authenticate(domain: Domain, command: Command) -> bytes:
    """Prove a key of the environment; the PBOC form, Lc 0A, belongs into a transaction."""
    if len(command.data) == _ARPC_LENGTH:
        if domain.directory.parent is None:
            raise Refusal(SW.CLA_UNKNOWN, "the directory takes no ARPC", "pse-pboc 1.2")
        raise Refusal(SW.CONDITIONS, "the application is not personalised", "pse-pboc 9")
    return authenticate(domain, command, command.p2)


def _table(name: str, *parts: tuple[CommandTable, tuple[str, ...]]) -> CommandTable:
    """Return a table of named commands, or of all of a part where no names are given."""
    table = CommandTable(name, one_class_error=True)
    for part, names in parts:
        table.include(part, names or None)
    return table


assert all((authentication, generate, options, pin, scripts)), "their commands are registered"

_CHALLENGE = (AUTHENTICATION, ("GET CHALLENGE",))
_EVERYWHERE = (_CHALLENGE, (READING, ()), (WRITE_KEY, ()))
_FILES = ("READ BINARY", "UPDATE BINARY", "UPDATE RECORD", "APPEND RECORD")
_FILES_ELSEWHERE = tuple(name for name in _FILES if name != "UPDATE RECORD")
"""In the list of all commands UPDATE RECORD is the script's."""
_PBOC = ("GET PROCESSING OPTIONS", "VERIFY", "INTERNAL AUTHENTICATE", "GENERATE AC")

DIRECTORY = _table(
    "PSE directory",
    *_EVERYWHERE,
    (_DIRECT, ()),
    (MANAGEMENT, ("END PERSONALISATION", "TERMINATE", "ERASE")),
)
"""1.2: the directory of a finished environment; its owner keeps its keys from here."""

OWNED_DIRECTORY = _table(
    "PSE directory, before the end of personalisation",
    *_EVERYWHERE,
    (_DIRECT, ()),
    (MANAGEMENT, ()),
    (FILE_ACCESS, _FILES),
    (PERSONALISATION, ()),
    (CHANNEL, ()),
)

PERSONALISING = _table(
    "PSE application, not personalised",
    *_EVERYWHERE,
    (_DIRECT, ()),
    (MANAGEMENT, ()),
    (FILE_ACCESS, _FILES),
    (PERSONALISATION, ()),
    (CHANNEL, ()),
    (TRANSACTION, _PBOC),
)
"""Section 9: the COS's own commands; those of PBOC are refused by the machine (6985)."""

DEBIT = _table(
    "PSE application",
    *_EVERYWHERE,
    (TRANSACTION, ()),
    (MANAGEMENT, ()),
    (PERSONALISATION, ()),
)
"""Section 2: `00 82` has the PBOC form only."""

PROXIMITY = _table("PPSE", *_EVERYWHERE, (_DIRECT, ()))
"""1.5: the directory of the contactless interface says all it knows in its FCI."""

_ALL = _table("PSE", (DEBIT, ()), (FILE_ACCESS, _FILES_ELSEWHERE), (CHANNEL, ()))


def table_for(domain: Domain) -> CommandTable:
    """Return the commands of the current directory."""
    here = domain.session.directory
    if here is None or here.parent is None:
        finished = domain.state not in (DomainState.CREATED, DomainState.OWNED)
        return DIRECTORY if finished else OWNED_DIRECTORY
    if not is_personalised(domain, here):
        return PERSONALISING
    return PROXIMITY if here.name == PPSE_NAME else DEBIT


def hidden(domain: Domain, node: FileNode) -> bool:
    """The PPSE of a finished environment is there on the contactless interface only (1.5)."""
    if node.name != PPSE_NAME or domain.facts.contactless:
        return False
    return domain.state not in (DomainState.CREATED, DomainState.OWNED)


def enter(domain: Domain) -> None:
    """Begin anew after a SELECT: volatile transaction data are gone (1.2)."""
    domain.session.app = Selected() if domain.session.table is DEBIT else Idle()


def empty_get_response(domain: Domain) -> SW:
    """What GET RESPONSE answers with nothing waiting (2.1, 14 #4)."""
    return SW(int(domain.options["pse_empty_get_response"], 16))


def selection_failed(domain: Domain) -> None:
    """Keep the application selected, by default without its transaction (1.2, 14 #2).

    With the transaction ends the session that a CARD BLOCK let finish (5.6).
    """
    if domain.session.table is DEBIT and domain.options["pse_failed_select"] == "reset":
        domain.session.app = Selected()
        domain.session.outlives_block = False
        domain.refresh_restriction()


def fci(domain: Domain, node: FileNode) -> bytes:
    """Return `6F {84 name, A5 ..}`, A5 as personalised; before, the COS's own form (1.3, 1.4)."""
    template = Application(domain).profile.fci
    return _fci(node.name, template) if template else plain_fci(domain, node)


@lru_cache(maxsize=64)
def _fci(name: bytes, template: bytes) -> bytes:
    return encode(0x6F, encode(0x84, name) + template)


PSE_APPLET = Applet(
    name="PSE",
    table=_ALL,
    table_for=table_for,
    fci=fci,
    empty_get_response=empty_get_response,
    channel=SW.CLA_UNKNOWN,
    default_challenge=True,
    blocked_answers=True,
    names_only=True,
    hidden=hidden,
    on_select=enter,
    on_failed_select=selection_failed,
)

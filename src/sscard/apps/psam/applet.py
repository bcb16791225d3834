"""The PSAM as the kernel sees it: the only domain of its card, with the MF as its root (cos 7)."""

from sscard.apps.psam import ciphering, issuing, purchase
from sscard.cos.authenticate import AUTHENTICATION
from sscard.cos.basic import FILE_ACCESS
from sscard.cos.commands import CommandTable
from sscard.cos.domain import Domain
from sscard.cos.policy import Applet
from sscard.cos.tree import FileNode
from sscard.iso.tlv import encode

__all__ = ["PSAM_APPLET"]

_TABLE = CommandTable("PSAM")
_TABLE.include(AUTHENTICATION, names=("GET CHALLENGE",))
for _commands in (issuing.COMMANDS, ciphering.COMMANDS, purchase.COMMANDS, FILE_ACCESS):
    _TABLE.include(_commands)


def fci(domain: Domain, node: FileNode) -> bytes:
    """Return `6F {84 name}`, with `A5 {88 SFI}` where the directory has a DIR (cos 2.2)."""
    inner = encode(0x84, node.name)
    if node.sfi:
        inner += encode(0xA5, encode(0x88, bytes((node.sfi,))))
    return encode(0x6F, inner)


def forget(domain: Domain) -> None:
    """A SELECT ends whatever computation was under way (cos 7.3)."""
    domain.session.app = None


PSAM_APPLET = Applet(
    name="PSAM",
    table=_TABLE,
    fci=fci,
    override=issuing.in_issue,
    reselects=True,
    on_select=forget,
    on_select_file=forget,
)

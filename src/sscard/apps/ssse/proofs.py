"""The SSSE's own keys and what was proved with them, from wherever in the SSSE (ssse-lb002 4.1).

The PIN, the PUK and the line protection key of PIN services belong to the SSSE itself, whichever
of its applications is current.
"""

from sscard.cos import access
from sscard.cos.domain import Domain
from sscard.cos.objects import KeyRecord, KeyType
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FileNode
from sscard.iso.sw import SW

__all__ = ["environment", "require_proved", "transport_key"]


def environment(domain: Domain) -> FileNode:
    """Return the SSSE's own directory."""
    here = domain.directory
    while here.parent is not None:
        here = here.parent
    return here


def transport_key(domain: Domain, directory: FileNode) -> KeyRecord:
    """Return the line protection key of a directory, or of the SSSE where it has none; 6A88."""
    here: FileNode | None = directory
    while here is not None:
        for key in domain.keys.records(here):
            if key.type == KeyType.STK:
                return key
        here = here.parent
    raise Refusal(SW.DATA_NOT_FOUND, "there is no line protection key", "ssse-lb002 4.7")


def require_proved(domain: Domain, key: KeyRecord | None, what: str, ref: str) -> None:
    """Refuse with 6982 unless this key of the SSSE itself was proved; without a key always."""
    word = access.NEVER if key is None else access.of_environment(key.grant)
    domain.require(word, what, ref)

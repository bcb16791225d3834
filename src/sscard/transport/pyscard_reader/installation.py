"""Showing readers in process to every pyscard program of this process.

Source: pcsc, "In-process card behind the pyscard API".
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import NoReturn

import smartcard.CardRequest
from smartcard import scard
from smartcard.reader.ReaderFactory import ReaderFactory
from smartcard.reader.ReaderGroups import innerreadergroups, readergroups

from sscard.errors import TransportError
from sscard.transport.pyscard_reader.connection import VirtualReader
from sscard.transport.pyscard_reader.exclusive import exclusive_use
from sscard.transport.pyscard_reader.requests import VirtualCardRequest, either_request

__all__ = ["installed"]


@contextmanager
def installed(*readers: VirtualReader, alone: bool = False) -> Iterator[tuple[VirtualReader, ...]]:
    """Show these readers to every program in this process, until the end of the block.

    `alone`: they are the only ones, so that nothing asks for a PC/SC service; `CardRequest` and
    `CardMonitor` watch them, `readergroups()` has the one group of pcsc-lite, and a program that
    calls the functions of `smartcard.scard` gets an error that says why it cannot. Otherwise
    they stand before the real ones, and `CardRequest` watches either kind, as the readers it is
    asked for say; without any it watches the real ones, as `CardMonitor` then does. pyscard's
    two decorators for exclusive use know our connections inside the block. Errors:
    `TransportError` for two readers of one name.
    """
    if len({reader.name for reader in readers}) != len(readers):
        raise TransportError("two readers have the same name: give each its own")

    def listed(groups: object = None) -> list[VirtualReader]:
        return list(readers)

    methods, request = ReaderFactory.factorymethods, smartcard.CardRequest.PCSCCardRequest
    before = list(methods)
    methods[:] = [listed] if alone else [listed, *before]
    ours = type("_CardRequest", (VirtualCardRequest,), {"readers": staticmethod(lambda: readers)})
    asks = ours if alone else either_request(ours, request, readers)
    smartcard.CardRequest.PCSCCardRequest = asks
    try:
        with exclusive_use(), _without_pcsc() if alone else nullcontext():
            yield readers
    finally:
        methods[:] = before
        smartcard.CardRequest.PCSCCardRequest = request
        for reader in readers:
            reader.slot.hang_up()


class _Groups(innerreadergroups):  # type: ignore[misc]  # pyscard has no types
    """The groups pcsc-lite tells of: always the same one, none to add, none to take away."""

    def getreadergroups(self) -> list[str]:
        """Return the one group."""
        return ["SCard$DefaultReaders"]

    def addreadergroup(self, newgroup: str) -> NoReturn:
        """Refuse, with pyscard's class for it."""
        raise scard.error(f"Unable to introduce reader group: {_UNSUPPORTED}")

    def removereadergroup(self, group: str) -> NoReturn:
        """Refuse, with pyscard's class for it."""
        raise scard.error(f"Unable to forget reader group: {_UNSUPPORTED}")


_UNSUPPORTED = "readers in process have no groups"


def _no_context(scope: int) -> NoReturn:
    raise scard.error(
        "the functions of smartcard.scard reach PC/SC readers only, and this program has readers"
        " in process: use smartcard.System.readers() and createConnection(), or serve the card"
        " to a real pcscd (sscard serve)"
    )


@contextmanager
def _without_pcsc() -> Iterator[None]:
    """Answer for PC/SC where pyscard or a program asks it about readers and contexts."""
    groups, establish = readergroups.instance, scard.SCardEstablishContext
    readergroups.instance = _Groups()
    scard.SCardEstablishContext = _no_context
    try:
        yield
    finally:
        readergroups.instance, scard.SCardEstablishContext = groups, establish

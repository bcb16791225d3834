"""The floor: the least a Python card can do, and what others do.

`BareCard` answers READ RECORD from a dictionary: no rights, no journal, no files. It stands
for what the interpreter itself costs on the machine at hand.
"""

import importlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["BareCard", "virtual_smart_card"]

_DEBIAN = Path("/usr/lib/python3/site-packages/virtualsmartcard")


class BareCard:
    """A dispatcher and nothing behind it."""

    def __init__(self) -> None:
        self._records = {(5, 1): bytes(18), (5, 5): b"\x05\x04\x20\x24\x01\x15"}
        self._table = {0x00B2: self._read_record}

    def transmit(self, apdu: bytes) -> bytes:
        """Answer READ RECORD; everything else is 6D00."""
        handler = self._table.get(apdu[0] << 8 | apdu[1])
        return b"\x6d\x00" if handler is None else handler(apdu)

    def _read_record(self, apdu: bytes) -> bytes:
        record = self._records.get((apdu[3] >> 3, apdu[2]))
        return b"\x6a\x83" if record is None else record + b"\x90\x00"


def virtual_smart_card() -> Callable[[bytes], bytes] | None:
    """Return the door of Debian's `python3-virtualsmartcard` with a 64-byte file, or None.

    It needs `pycryptodome` and its own folder in the path; on a machine without either the
    table has no such rows. Its SELECT raises under Python 3.11, so it is measured by READ
    BINARY (SFI 05) and GET CHALLENGE.
    """
    if not _DEBIAN.is_dir():
        return None
    sys.path.append(str(_DEBIAN))
    logging.disable(logging.CRITICAL)
    try:
        system = importlib.import_module("virtualsmartcard.VirtualSmartcard")
        generator = importlib.import_module("virtualsmartcard.CardGenerator")
        files = importlib.import_module("virtualsmartcard.SmartcardFilesystem")
    except ImportError:
        return None
    finally:
        sys.path.remove(str(_DEBIAN))
    root, sam = generator.CardGenerator("iso7816").getCard()
    card = system.Iso7816OS(root, sam)
    root.append(files.TransparentStructureEF(parent=root, fid=2, shortfid=5, data=b"\x01" * 64))
    return lambda apdu: bytes(card.execute(apdu))

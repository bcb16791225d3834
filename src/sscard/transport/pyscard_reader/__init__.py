"""Readers in the same process that programs written for pyscard see: no pcscd, no driver.

pyscard lists readers through factory methods anybody may add to, and a connection is a class
anybody may derive: `smartcard.System.readers()`, `createConnection`, observers, error checking
chains and sessions work as with a real reader. Waiting for cards (`CardRequest`, `CardMonitor`)
and exclusive use talk to PC/SC directly in pyscard; `installed` replaces those parts. Readers
and cards are ours, so it runs wherever pyscard does.

Source: pcsc, "In-process card behind the pyscard API".
"""

from sscard.transport.pyscard_reader.connection import VirtualConnection, VirtualReader
from sscard.transport.pyscard_reader.installation import installed

__all__ = ["VirtualConnection", "VirtualReader", "installed"]

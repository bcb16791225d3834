"""Values and codecs of the wire: APDUs, status words, TLV, ATR, text formats (stdlib only)."""

from sscard.iso.apdu import Command, MalformedApdu
from sscard.iso.atr import Atr, AtrError, AtrProfile, pps_answer
from sscard.iso.sw import SW
from sscard.iso.tlv import TlvError

__all__ = [
    "SW",
    "Atr",
    "AtrError",
    "AtrProfile",
    "Command",
    "MalformedApdu",
    "TlvError",
    "pps_answer",
]

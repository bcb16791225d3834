"""The card manager: the applet of domain 0, the MF (cos 3.2, column CM)."""

from sscard.cos.authenticate import AUTHENTICATION
from sscard.cos.basic import FILE_ACCESS
from sscard.cos.commands import CommandTable
from sscard.cos.getdata import GET_DATA
from sscard.cos.manage import MANAGEMENT
from sscard.cos.policy import Applet
from sscard.cos.writekey import WRITE_KEY

__all__ = ["CARD_MANAGER", "COS_COMMANDS"]

COS_COMMANDS = (AUTHENTICATION, GET_DATA, MANAGEMENT, WRITE_KEY, FILE_ACCESS)
"""The commands every environment has in common."""

_TABLE = CommandTable("card manager")
for _commands in COS_COMMANDS:
    _TABLE.include(_commands)

CARD_MANAGER = Applet(name="card manager", table=_TABLE)

"""The PSE: the PBOC debit application of the bank (pse-pboc)."""

from sscard.cos.commands import CommandTable
from sscard.cos.manager import COS_COMMANDS
from sscard.cos.policy import Applet

__all__ = ["PSE_APPLET"]
_T = CommandTable("pse")
for _commands in COS_COMMANDS:
    _T.include(_commands)
PSE_APPLET = Applet(name="PSE", table=_T)

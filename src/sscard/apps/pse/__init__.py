"""The PSE: the PBOC debit application of the bank (pse-pboc)."""

from sscard.apps.pse.applet import PSE_APPLET
from sscard.apps.pse.grouping import stored_files

__all__ = ["PSE_APPLET", "stored_files"]

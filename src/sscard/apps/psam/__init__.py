"""The PSAM: the security module of a social security terminal, a card of its own (cos 7)."""

from sscard.apps.psam.applet import PSAM_APPLET

__all__ = ["PSAM_APPLET"]

"""The SSSE: the social security application (ssse-lb002)."""

from sscard.apps.ssse.applet import SSSE_APPLET

__all__ = ["SSSE_APPLET"]

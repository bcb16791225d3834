"""Capture: what a card gives to everybody, as a profile that makes an emulated card like it.

Both environments are read as far as they can be without a proof. The result is TOML over shipped
profiles. Personal data are replaced by those of a fictional citizen, and so are PAN, serial
number and region, unless one asks for them. Keys nobody can read: they are the test keys of the
profiles extended. What was seen and cannot be carried over is said at the head of the profile.
"""

from sscard.testing.capture.card import capture
from sscard.testing.capture.profile import to_toml
from sscard.testing.capture.seen import BankCapture, Capture, SocialCapture

__all__ = ["BankCapture", "Capture", "SocialCapture", "capture", "to_toml"]

"""sscard: China's social security card with a financial function, in pure Python.

A card is an image and an environment; powered on, it answers APDUs:

    import sscard

    card = sscard.sample_card()
    session = card.power_on()
    session.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))

Names are imported when they are first used: `import sscard` alone costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sscard.card import Activation, Card
    from sscard.env import Env
    from sscard.errors import PowerLoss, SscardError
    from sscard.iso.sw import SW
    from sscard.perso.profile import Profile
    from sscard.sample import sample_card, sample_psam
    from sscard.testing.script import Script

__all__ = [
    "SW",
    "Activation",
    "Card",
    "Env",
    "PowerLoss",
    "Profile",
    "Script",
    "SscardError",
    "sample_card",
    "sample_psam",
]

__version__ = "0.1.0"

_HOME = {
    "SW": "sscard.iso.sw",
    "Activation": "sscard.card",
    "Card": "sscard.card",
    "Env": "sscard.env",
    "PowerLoss": "sscard.errors",
    "Profile": "sscard.perso.profile",
    "Script": "sscard.testing.script",
    "SscardError": "sscard.errors",
    "sample_card": "sscard.sample",
    "sample_psam": "sscard.sample",
}


def __getattr__(name: str) -> object:
    """Import a public name from its home on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'sscard' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""sscard: China's social security card with a financial function, in pure Python.

A card is an image and an environment; powered on, it answers APDUs:

    import sscard

    card = sscard.sample_card()
    session = card.power_on()
    session.transmit(bytes.fromhex("00A40400057378312E73"))
"""

from importlib.metadata import version

from sscard.card import Activation, Card
from sscard.env import Env
from sscard.errors import PowerLoss, SscardError
from sscard.iso.sw import SW

__all__ = ["SW", "Activation", "Card", "Env", "PowerLoss", "SscardError"]

__version__ = version("sscard")

"""`construct` schemas of image and messages: for people to read, and the tests' oracle.

`schemas.image` describes every page and record of the EEPROM, `schemas.messages` what travels
in APDUs. Nothing on the card's own path imports them.
"""

from sscard.inspect.schemas.fields import Field, fields_of, layout_of

__all__ = ["Field", "fields_of", "layout_of"]

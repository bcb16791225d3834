"""The parties' management of cards, as far as terminals ask it on line.

`centre` decides, `service` offers it over HTTP as an ASGI application, `client` asks such a
service. Knows neither the card's code nor a terminal's.
"""

from sscard.registry.centre import CardEntry, Centre, Standing
from sscard.registry.client import CentreClient
from sscard.registry.service import service

__all__ = ["CardEntry", "Centre", "CentreClient", "Standing", "service"]

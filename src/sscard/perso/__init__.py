"""Personalisation: profiles (data) and the APDU script that brings one onto a blank card.

Imports nothing of the card's code, so that both sides of the wire may use it.
"""

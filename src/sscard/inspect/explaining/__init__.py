"""`explain`: APDUs, answers, files and data elements in words, secrets left out by default."""

from sscard.inspect.explaining.detect import KINDS, explain, explain_event

__all__ = ["KINDS", "explain", "explain_event"]

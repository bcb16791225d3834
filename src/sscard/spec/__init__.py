"""The specifications as frozen data: file tables, key references, tags, options.

No behaviour and no card's contents: what a particular card holds is a profile
(`sscard.perso.profile`). Stdlib only; imported by both sides of the wire.
"""

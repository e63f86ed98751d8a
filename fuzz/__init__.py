"""Hostile bytes for whatever reads bytes of a card. Never part of the product.

Every target is a function of bytes that raises when a rule is broken. `tests/fuzz` feeds it from hypothesis,
`make fuzz` from atheris.
"""

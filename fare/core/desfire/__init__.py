"""The card with no I/O: bytes, secure messaging, typed commands, the Mancard application.

A layer each: `crypto`, `frames`, `messaging` (with `authentication`, and `legacy` for the key a chip comes
with), `commands` (with `chip`), `keys` and `layout`, `transaction_mac`, and the conversations of
`application`: `personalisation`, `inspection`, `desk_load`, `key_roll`. Nothing here opens a reader, reads a
clock or draws a random number: every card operation is a generator that yields command bytes and is sent the
card's answer.
"""

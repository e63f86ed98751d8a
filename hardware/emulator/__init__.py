"""Stand-ins for the devices bolted to a bus: a strict virtual DESFire card, its readers and a virtual phone.

Written from the public description of the card alone: it imports nothing of ``fare`` or ``readers``, so
that one misreading of the card cannot pass on both sides of the wire.
"""

"""Which rides of phone tickets were paid on this vehicle, at whichever door.

It decides nothing about a ticket. `port` says what a door asks and what the doors of a vehicle share; `door`
is one door's own memory, rebuilt from its journal and asked before all others; `in_process` and `redis` are
what they share, within one process or on the vehicle's gateway; `keeping` keeps a door in step with it.
"""

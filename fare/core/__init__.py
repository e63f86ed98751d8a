"""What bus and ledger must agree on, written once: no I/O, no clock, no randomness, no database."""

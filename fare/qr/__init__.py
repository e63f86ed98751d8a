"""QR codes of tickets: drawn, read from pictures, and told in words. It signs nothing and asks no ledger."""

"""Where a validator finds the cards' keys when its kit does not carry them: a PKCS#11 token, or a SAM."""

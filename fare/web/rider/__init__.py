"""The rider's page: its JSON API, its files, and topping up. It judges no ride and signs nothing itself."""

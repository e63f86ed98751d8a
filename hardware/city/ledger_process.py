"""The ledger of a simulated day, as its own process: the real application under uvicorn, an injected clock.

`python -m hardware.city.ledger_process CLOCK_FILE PORT`; everything else comes from MANCARD_… settings.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn

from fare.api import create_app
from fare.settings import LedgerSettings
from hardware.city.clock import SharedClock


def main(arguments: list[str]) -> None:
    """Serve until terminated."""
    clock_file, port = arguments
    app = create_app(LedgerSettings(), clock=SharedClock(Path(clock_file)).now)
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main(sys.argv[1:])

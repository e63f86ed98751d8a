"""One target under atheris, in a process of its own.

python -m fuzz.by_atheris TARGET [libFuzzer options]
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, cast

# The packages whose branches guide the search. They must be named before `fuzz.targets` imports them.
WATCHED = {
    "card": ["fare.core.desfire", "fare.core.proof"],
    "emulator": ["hardware.emulator"],
    "documents": ["fare.core"],
    "texts": ["fare.core"],
}


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    atheris = cast("Any", importlib.import_module("atheris"))  # not installed except by `make fuzz`
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=WATCHED[name]):
        targets = importlib.import_module("fuzz.targets")
    atheris.Setup(sys.argv, targets.target(name).check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

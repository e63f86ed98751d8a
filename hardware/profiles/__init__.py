"""Reader profiles as data, one TOML file a model. This module only says where they are.

`readers.pcsc.profiles` reads them and describes the form; it finds the folder by an entry point.
"""

from __future__ import annotations

from pathlib import Path


def folder() -> Path:
    """The folder of the files."""
    return Path(__file__).parent

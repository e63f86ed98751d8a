"""Real PKCS#11 tokens (SoftHSM 2) in a folder of this run, made before the module is first loaded.

SoftHSM reads its configuration and looks for tokens once a process, so a worker makes all of its tokens at
once and hands them out one by one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fare.settings import KeySettings

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)
PIN = "0471-8220"
TOKENS_A_WORKER = 24


@dataclass(frozen=True, slots=True)
class SoftToken:
    """One empty token: its module, its label, and a file with its PIN."""

    module: Path
    label: str
    pin_file: Path

    @property
    def settings(self) -> KeySettings:
        """The settings of a ledger whose keys are in it."""
        return KeySettings(store="pkcs11", module=self.module, token=self.label, pin_file=self.pin_file)

    @property
    def environment(self) -> dict[str, str]:
        """The same as environment variables."""
        return {
            "MANCARD_KEYS": "pkcs11",
            "MANCARD_KEYS_MODULE": str(self.module),
            "MANCARD_KEYS_TOKEN": self.label,
            "MANCARD_KEYS_PIN_FILE": str(self.pin_file),
        }


_made: list[Iterator[SoftToken]] = []


@pytest.fixture(scope="session")
def soft_tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftToken]:
    """The tokens of this process that are still empty, whichever folder of tests asks."""
    if not _made:
        _made.append(iter(_make_tokens(tmp_path_factory.mktemp("softhsm"))))
    return _made[0]


@pytest.fixture
def soft_token(soft_tokens: Iterator[SoftToken]) -> SoftToken:
    """An empty token of this test's own."""
    return next(soft_tokens)


def _make_tokens(folder: Path) -> list[SoftToken]:
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    pin_file = folder / "pin"
    pin_file.touch(mode=0o600)
    pin_file.write_text(PIN + "\n")
    module = next(Path(path) for path in MODULES if Path(path).exists())
    tool = shutil.which("softhsm2-util")
    assert tool is not None, "softhsm2 is missing: run scripts/system-packages test"
    os.environ["SOFTHSM2_CONF"] = str(configuration)  # for as long as this process, like the loaded module
    made: list[SoftToken] = []
    for number in range(TOKENS_A_WORKER):
        label = f"token-{number}"
        command = [tool, "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "5" * 8]
        subprocess.run(command, check=True, capture_output=True)
        made.append(SoftToken(module, label, pin_file))
    return made

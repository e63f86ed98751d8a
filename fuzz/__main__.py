"""`make fuzz`: every target for a bounded time, and the input that broke a rule saved beside the code.

    python -m fuzz [TARGET…] [--seconds N]

With atheris (in .venv only after `make fuzz`, and only where it has a wheel) the branches taken guide the
search; without it hypothesis runs for as long. Exits with 1 when a rule was broken.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import subprocess
import sys
from pathlib import Path

from fuzz.targets import FOUND, TARGETS, Target, target

CORPUS = Path(".fuzz")
SECONDS = 60
ONE_INPUT_TIMEOUT_S = 10
RSS_LIMIT_MB = 1024


def main() -> int:
    """Run what was asked for; 0 when no rule was broken."""
    asked = _arguments()
    with_atheris = importlib.util.find_spec("atheris") is not None
    if not with_atheris:
        print(
            f"There is no atheris for Python {platform.python_version()} on this machine: "
            "hypothesis runs instead, for as long."
        )
    broken = 0
    for one in asked.targets or TARGETS:
        print(f"{one.name}: {asked.seconds} s", flush=True)
        broken += not (_by_atheris if with_atheris else _by_hypothesis)(one, asked.seconds)
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    names = ", ".join(one.name for one in TARGETS)
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Feed hostile bytes to the targets.")
    parser.add_argument("targets", nargs="*", type=_named, help=f"some of: {names}; all without")
    parser.add_argument(
        "--seconds", type=_seconds, default=os.environ.get("FUZZ_SECONDS", SECONDS), help="for each target"
    )
    return parser.parse_args()


def _named(name: str) -> Target:
    found = target(name)
    if found is None:
        names = ", ".join(one.name for one in TARGETS)
        raise argparse.ArgumentTypeError(f"there is no target {name!r}: choose among {names}")
    return found


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to 86400")
    return int(text)


def _by_atheris(one: Target, seconds: int) -> bool:
    """It takes a whole process, so each target gets one."""
    corpus = CORPUS / one.name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate([*one.seeds(), *one.found()]):
        (corpus / f"seed-{number:05}").write_bytes(seed)
    FOUND.mkdir(exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={one.most_bytes}",
        f"-timeout={ONE_INPUT_TIMEOUT_S}",
        f"-rss_limit_mb={RSS_LIMIT_MB}",
        f"-artifact_prefix={FOUND}/{one.name}-",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    command = [sys.executable, "-m", "fuzz.by_atheris", one.name, *options, str(corpus)]
    return subprocess.run(command, check=False).returncode == 0


def _by_hypothesis(one: Target, seconds: int) -> bool:
    from fuzz.by_hypothesis import first_broken  # noqa: PLC0415 - only where atheris is not

    broken = first_broken(one, seconds)
    if broken is None:
        return True
    FOUND.mkdir(exist_ok=True)
    saved = FOUND / f"{one.name}-{broken.data.hex()[:16]}"
    saved.write_bytes(broken.data)
    print(f"{one.name}: {broken.why}\n{one.name}: the input is saved as {saved}", file=sys.stderr)
    return False


if __name__ == "__main__":
    sys.exit(main())

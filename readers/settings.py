"""The validator's settings, from the environment (MANCARD_VALIDATOR_…) or the command line.

No secret is one, but for the gateway's address, which may carry a password and is never printed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from readers.inspection_switch import INSPECTION_WINDOW_MIN


class ValidatorSettings(BaseSettings):
    """One validator process."""

    model_config = SettingsConfigDict(env_prefix="MANCARD_VALIDATOR_", frozen=True)

    kit: Path = Path("kit")
    """Folder with kit.json and card-keys.json."""
    state: Path = Path(".state/validator")
    """Folder of the journal and the device key: its own partition on a bus."""
    reader: str = "virtual:.state/cards"
    """Reader address, see `readers.addresses`."""
    scanners: Annotated[tuple[str, ...], NoDecode] = ()
    """Scanner addresses, see `readers.scanners.opening`; in the environment separated by commas."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8100
    """Of the validator's own web face."""
    poll_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """How often the bundle is asked for."""
    linger_s: Annotated[float, Field(ge=0, le=60)] = 0.5
    """How long the first of several taps waits for the others before they are uploaded."""
    gateway_url: str | None = Field(default=None, repr=False)
    """The vehicle's gateway, redis://HOST:PORT/0, where several doors share it; may carry a password."""
    ledger_url: str | None = None
    """Overrides the kit's address of the ledger."""
    inspect: bool = False
    """Only tells an inspector who has paid: nothing is charged, and nothing is written on a card."""
    inspect_vehicle: str | None = None
    """The vehicle an inspector's handheld is on, by its name in the bundle, instead of this device's own."""
    inspection_window_min: Annotated[int, Field(ge=1, le=24 * 60)] = INSPECTION_WINDOW_MIN
    """How long one fare rides, in minutes, for an inspector."""

    @field_validator("scanners", mode="before")
    @classmethod
    def _separated_by_commas(cls, given: object) -> object:
        return (
            [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given
        )

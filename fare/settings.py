"""The settings of the ledger's processes, each from one environment variable. No secret has a default.

    MANCARD_STATE_DIR      where the database file and the keys are; ./.state unless set
    MANCARD_DATABASE_URL   sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME;
                           mancard.db in the state folder unless set
    MANCARD_REDIS_URL      optional, and nothing reads it yet: one ledger process needs no Redis
    MANCARD_HOST, MANCARD_PORT          where the ledger listens; 127.0.0.1 and 8000 unless set
    MANCARD_CITY, MANCARD_CITY_NAME     the city's short Latin name, and how people call it
    MANCARD_ZONE, MANCARD_DAY_STARTS    its IANA time zone, and when a service day begins there (HH:MM)
    MANCARD_ISSUER         the number (0 to 255) under which cards name this ledger
    MANCARD_REPLACEMENT_WAIT_HOURS      how long a lost card's balance waits before it moves; 72 unless set
    MANCARD_CODE_SENDER    how riders get one-time codes: none (unless set), sandbox (printed) or command
    MANCARD_CODE_COMMAND   with command: what is run, with the number as its last argument, the text as input
    MANCARD_PAYMENT_GATEWAY             where riders pay top-ups: none (unless set) or sandbox
    MANCARD_RIDES_PER_TICKET            how many rides a phone's ticket is for, at most; 10 unless set
    MANCARD_DAY_RIDES      how many rides a phone gets held that nobody has confirmed yet; 4 unless set
    MANCARD_TRANSPORT_KEY_FILE          optional: the AES key that fresh chips come with, 32 hex digits
    MANCARD_KEYS           files (in the state folder, unless set) or pkcs11; with pkcs11 also
    MANCARD_KEYS_MODULE    the PKCS#11 library's file,
    MANCARD_KEYS_TOKEN     the token's label,
    MANCARD_KEYS_PIN_FILE  a file, mode 0600, that holds its PIN; or MANCARD_KEYS_PIN itself

A validator is another process and has settings of its own (`readers.settings`).
"""

from __future__ import annotations

import shlex
from datetime import time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from fare.core.errors import OperatorError


class CodeSenderKind(StrEnum):
    """How one-time codes leave the ledger."""

    NONE = "none"
    SANDBOX = "sandbox"
    COMMAND = "command"


class PaymentGatewayKind(StrEnum):
    """Which gateway takes riders' top-ups."""

    NONE = "none"
    SANDBOX = "sandbox"


class LedgerSettings(BaseSettings):
    """One frozen value; constructing it raises OperatorError, naming the variable that is wrong.

    `zone` is an IANA name, `day_starts` HH:MM of local time; `zone_info` and `day_starts_at` are the same,
    typed. `issuer` (0..255) is the number under which cards name this ledger.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(env_prefix="MANCARD_", frozen=True)

    state_dir: Path = Path(".state")
    # A password may stand in either URL: neither is ever shown with the settings.
    database_url: str = Field(
        default_factory=lambda values: f"sqlite:///{values['state_dir'] / 'mancard.db'}", repr=False
    )
    redis_url: str | None = Field(default=None, repr=False)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    city: str = Field(default="urmia", pattern=r"\A[a-z0-9][a-z0-9-]{0,31}\z")
    city_name: str = "ارومیه"
    zone: str = "Asia/Tehran"
    day_starts: str = "04:00"
    issuer: int = Field(default=1, ge=0, le=255)
    # Until every bus has come home and handed over its journal, nobody knows what a lost card has spent, and
    # one may be without a line over a weekend. Shorter moves money that was spent; longer, a rider waits.
    replacement_wait_hours: int = Field(default=72, ge=0, le=24 * 90)
    transport_key_file: Path | None = None
    code_sender: CodeSenderKind = CodeSenderKind.NONE
    # It may name a gateway with a password in its address: it is never shown with the settings.
    code_command: str | None = Field(default=None, repr=False, validate_default=True)
    payment_gateway: PaymentGatewayKind = PaymentGatewayKind.NONE
    # What a ticket may cost waits in a hold: more rides tie up more of a rider's money, fewer need a
    # connection more often.
    rides_per_ticket: int = Field(default=10, ge=1, le=255)
    # A one-time code proves a SIM card, not its owner: what a thief of one may ride in a day.
    day_rides: int = Field(default=4, ge=1, le=255)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as fault:
            raise OperatorError(_sentence(fault)) from None

    @property
    def keys_dir(self) -> Path:
        """The folder of the key files (see `fare.keys`)."""
        return self.state_dir / "keys"

    @property
    def replacement_wait(self) -> timedelta:
        """How long the balance of a lost card waits: offline buses bring its last rides meanwhile."""
        return timedelta(hours=self.replacement_wait_hours)

    @property
    def zone_info(self) -> ZoneInfo:
        """The city's time zone."""
        return ZoneInfo(self.zone)

    @property
    def day_starts_at(self) -> time:
        """Local time at which a service day begins."""
        return time.fromisoformat(self.day_starts)

    @field_validator("code_command")
    @classmethod
    def _runnable(cls, value: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("code_sender") is CodeSenderKind.COMMAND and not (value or "").strip():
            raise ValueError("MANCARD_CODE_SENDER=command needs it")
        try:
            shlex.split(value or "")
        except ValueError:
            raise ValueError("its quotation marks do not close") from None
        return value

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is not an IANA time zone such as Asia/Tehran") from None
        return value

    @field_validator("day_starts")
    @classmethod
    def _time_of_day(cls, value: str) -> str:
        try:
            at = time.fromisoformat(value)
        except ValueError:
            raise ValueError("is not a time of day such as 04:00") from None
        if at.tzinfo is not None or at.second or at.microsecond:
            raise ValueError("is hours and minutes of local time, such as 04:00")
        return value


class KeyPlace(StrEnum):
    """Where the ledger's keys are kept."""

    FILES = "files"
    PKCS11 = "pkcs11"


class KeySettings(BaseSettings):
    """Where the ledger's keys are. One frozen value; constructing it raises OperatorError."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix="MANCARD_KEYS_", frozen=True, populate_by_name=True
    )

    store: KeyPlace = Field(default=KeyPlace.FILES, validation_alias="MANCARD_KEYS")
    module: Path | None = None
    token: str | None = None
    pin_file: Path | None = None
    pin: SecretStr | None = None

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as fault:
            raise OperatorError(_sentence(fault, "MANCARD_KEYS_")) from None

    @model_validator(mode="after")
    def _whole(self) -> KeySettings:
        if self.store is KeyPlace.PKCS11 and not (self.module and self.token and (self.pin_file or self.pin)):
            raise ValueError(
                "needs MANCARD_KEYS_MODULE, MANCARD_KEYS_TOKEN and MANCARD_KEYS_PIN_FILE beside it"
            )
        return self


def _sentence(fault: ValidationError, prefix: str = "MANCARD_") -> str:
    """Name the variable and the rule, never the value: it may hold a password."""
    first = fault.errors(include_input=False, include_url=False)[0]
    name = "_".join(str(part) for part in first["loc"]).upper()
    # A rule for all of them at once names no field, and an alias is the whole name.
    variable = name if name.startswith("MANCARD") else (prefix + name).rstrip("_")
    rule = str(first["msg"]).removeprefix("Value error, ")
    return f"The setting {variable} cannot be used: {rule}. Correct it in the environment and start again."

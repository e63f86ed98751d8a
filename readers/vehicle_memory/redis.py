"""What the doors of a vehicle share on its gateway, a Redis or Valkey that may vanish or forget at any time.

It never raises, never waits longer than a few times `TIMEOUT_S`, and never shows the address's password.

    mancard:{VEHICLE}:ticket:CTI     hash: ride number -> "DEVICE-JOURNAL AT_S", who took it and when
    mancard:{VEHICLE}:door:DEVICE    the run (`run_id`) of the gateway to which this door told its journal

One script claims all rides of a ticket or none, in one step of the server; a ride once taken stays its
door's. Keys live as long as the entitlement may. A gateway that was restarted has another `run_id`, whatever
it still holds, so each door tells its journal again before "not paid" is believed: `claim` answers FRESH only
when every door of the vehicle has told this run of the gateway what it knows.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, cast
from urllib.parse import quote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError
from redis.exceptions import TimeoutError as NoAnswer
from redis.retry import Retry

from fare.core.errors import OperatorError
from fare.core.inspection import RideFound, RideState
from fare.core.replay import CLAIM_GRACE_S, RideClaim
from readers.vehicle_memory.port import (
    CLAIM_LIFE_S,
    ClaimAnswer,
    Claimant,
    JournalledRides,
    KeptRide,
)
from readers.vehicle_memory.vehicle import WhichVehicle

TIMEOUT_S: Final = 0.15
DOOR_LIFE_S: Final = CLAIM_LIFE_S + 24 * 3600
ROWS_AT_ONCE: Final = 200
MOST_UNHEARD: Final = 1_000

_RUN: Final = "local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')\n"
_DOORS: Final = """
local told = 'all'
for n = 3, #KEYS do if redis.call('GET', KEYS[n]) ~= run then told = 'some' end end
"""
# KEYS: ticket, this door, the other doors.  ARGV: claimant, at_s, life_s, first, last, "ticket" or "rides".
_CLAIM: Final = f"""{_RUN}
if redis.call('GET', KEYS[2]) ~= run then return 'tell' end
local taken = redis.call('HGETALL', KEYS[1])
for n = 1, #taken, 2 do
  local ride = tonumber(taken[n])
  local wanted = ARGV[6] == 'ticket' or (ride >= tonumber(ARGV[4]) and ride <= tonumber(ARGV[5]))
  if wanted and string.match(taken[n + 1], '^%S+') ~= ARGV[1] then return 'paid' end
end
for ride = tonumber(ARGV[4]), tonumber(ARGV[5]) do
  redis.call('HSET', KEYS[1], ride, ARGV[1] .. ' ' .. ARGV[2])
end
if redis.call('TTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('EXPIRE', KEYS[1], ARGV[3]) end
{_DOORS}
return told
"""
# KEYS as above.  ARGV: claimant, first, last.  Answers as _CLAIM, then when each ride was taken, or ''.
_FOUND: Final = f"""{_RUN}
if redis.call('GET', KEYS[2]) ~= run then return {{'tell'}} end
{_DOORS}
local answer = {{told}}
for ride = tonumber(ARGV[2]), tonumber(ARGV[3]) do
  local value = redis.call('HGET', KEYS[1], ride) or ''
  if string.match(value, '^%S+') == ARGV[1] then value = '' end
  answer[#answer + 1] = string.match(value, '%d+$') or ''
end
return answer
"""
# KEYS: tickets.  ARGV: claimant, then for each ticket first, last, at_s, life_s.
_TELL: Final = f"""{_RUN}
for n = 1, #KEYS do
  local a = 4 * n - 2
  for ride = tonumber(ARGV[a]), tonumber(ARGV[a + 1]) do
    redis.call('HSETNX', KEYS[n], ride, ARGV[1] .. ' ' .. ARGV[a + 2])
  end
  local life = tonumber(ARGV[a + 3])
  if redis.call('TTL', KEYS[n]) < life then redis.call('EXPIRE', KEYS[n], life) end
end
return run
"""
# KEYS: this door.  ARGV: the run that heard all of the journal, life_s.
_TOLD: Final = f"""{_RUN}
if run ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], run, 'EX', ARGV[2])
return 1
"""
# KEYS: this door.  ARGV: life_s.
_LOOK: Final = f"""{_RUN}
if redis.call('GET', KEYS[1]) ~= run then return 0 end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""


def shown_address(url: str) -> str:
    """The address for a person: host, port and number, never user or password."""
    parts = urlsplit(url)
    return f"{parts.hostname or ''}:{parts.port or 6379}{parts.path if parts.path != '/' else ''}"


def gateway_at(url: str) -> Callable[[Claimant, JournalledRides, WhichVehicle], RedisVehicleMemory]:
    """Opens each door's way to the gateway at `url`. Raises OperatorError for an address that is none."""
    _client(url).close()
    return partial(RedisVehicleMemory, url)


class RedisVehicleMemory:
    """The SharedRides of one door over Redis. Nothing is asked before the first `step`.

    Raises OperatorError for an address that is none.
    """

    def __init__(self, url: str, claimant: Claimant, rides: JournalledRides, which: WhichVehicle) -> None:
        self._redis = _client(url)
        self.address = shown_address(url)
        self._claimant = claimant
        self._rides = rides
        self._which = which
        self._claim = self._redis.register_script(_CLAIM)
        self._found = self._redis.register_script(_FOUND)
        self._tell = self._redis.register_script(_TELL)
        self._told = self._redis.register_script(_TOLD)
        self._look = self._redis.register_script(_LOOK)
        self._one_step = threading.Lock()
        self._unheard: deque[KeptRide] = deque(maxlen=MOST_UNHEARD)
        self._ready = False
        self._problem = f"the vehicle's gateway {self.address} was not asked yet"

    @property
    def reached(self) -> bool:
        """Whether the last question was answered, by a gateway that knows this door's rides."""
        return self._ready

    @property
    def problem(self) -> str:
        """See SharedRides."""
        return "" if self._ready else self._problem

    def claim(
        self, claim: RideClaim, expires_at_s: int, at_s: int, *, one_per_ticket: bool = False
    ) -> ClaimAnswer:
        """See SharedRides. A gateway that just failed is not waited for again: `step` finds it."""
        if not self._ready:
            return ClaimAnswer.NOT_REACHED
        # A clock that is not synchronised must not make a claim too short.
        life_s = CLAIM_LIFE_S if one_per_ticket else _life_s(expires_at_s, at_s)
        which = "ticket" if one_per_ticket else "rides"
        numbers = [claim.first, claim.last]
        try:
            answer = self._claim(
                keys=self._keys(claim.cti), args=[self._claimant.word, at_s, life_s, *numbers, which]
            )
        except (RedisError, OSError) as fault:
            self._lost(fault)
            return ClaimAnswer.NOT_REACHED
        return self._answered(answer)

    def found(self, claim: RideClaim) -> tuple[RideFound, ...]:
        """See SharedRides."""
        not_reached = (RideFound(RideState.NOT_REACHED),) * (claim.last - claim.first + 1)
        if not self._ready:
            return not_reached
        numbers = [self._claimant.word, claim.first, claim.last]
        try:
            answer, *times = cast("list[bytes]", self._found(keys=self._keys(claim.cti), args=numbers))
        except (RedisError, OSError) as fault:
            self._lost(fault)
            return not_reached
        reached = self._answered(answer) is ClaimAnswer.FRESH
        unpaid = RideFound(RideState.NOT_PAID if reached else RideState.NOT_REACHED)
        told = tuple(RideFound(RideState.PAID, int(at_s)) if at_s else unpaid for at_s in times)
        return told or not_reached

    def kept(self, ride: KeptRide) -> None:
        """See SharedRides."""
        self._unheard.append(ride)

    def step(self) -> bool:
        """See SharedRides. It may wait for a gateway that does not answer: not for a tap's thread."""
        with self._one_step:
            try:
                if not (self._ready and self._look(keys=[self._door_key()], args=[DOOR_LIFE_S])):
                    self._ready = False
                    self._tell_all()
                self._tell_unheard()
            except (RedisError, OSError) as fault:
                self._lost(fault)
            return self._ready

    def close(self) -> None:
        """See SharedRides."""
        self._ready = False
        self._redis.close()

    # --- telling ---

    def _tell_all(self) -> None:
        """The whole journal, to one run of the gateway; if it restarts meanwhile, again next time."""
        door = self._door_key()
        rides = list(self._rides())
        runs = {self._tell_rows(rides[at : at + ROWS_AT_ONCE]) for at in range(0, len(rides), ROWS_AT_ONCE)}
        run = self._tell_rows([]) if not runs else runs.pop()
        if not runs and self._told(keys=[door], args=[run, DOOR_LIFE_S]):
            self._ready = True

    def _tell_unheard(self) -> None:
        while self._ready and self._unheard:
            self._tell_rows([self._unheard[0]])
            self._unheard.popleft()

    def _tell_rows(self, rides: Sequence[KeptRide]) -> bytes:
        """Tell some rides; the run that heard them."""
        vehicle = _quoted(self._which().name)
        rows = [
            number
            for ride in rides
            for number in (
                ride.claim.first,
                ride.claim.last,
                ride.at_s,
                _life_s(ride.expires_at_s, ride.at_s),
            )
        ]
        keys = [_ticket_key(vehicle, ride.claim.cti) for ride in rides]
        return cast("bytes", self._tell(keys=keys, args=[self._claimant.word, *rows]))

    # --- keys and answers ---

    def _keys(self, cti: bytes) -> list[str]:
        vehicle = self._which()
        name = _quoted(vehicle.name)
        others = sorted(vehicle.doors - {self._claimant.device})
        return [_ticket_key(name, cti), self._door_key(), *(_door(name, other) for other in others)]

    def _door_key(self) -> str:
        return _door(_quoted(self._which().name), self._claimant.device)

    def _answered(self, answer: Any) -> ClaimAnswer:
        match answer:
            case b"paid":
                return ClaimAnswer.ALREADY_PAID
            case b"all":
                return ClaimAnswer.FRESH
            case b"tell":  # another run of the gateway, or another vehicle
                self._ready = False
                self._problem = f"the vehicle's gateway {self.address} is being told this door's rides"
                return ClaimAnswer.NOT_REACHED
            case _:  # claimed, and a door of this vehicle has not told its own rides
                return ClaimAnswer.NOT_REACHED

    def _lost(self, fault: Exception) -> None:
        self._ready = False
        self._problem = f"the vehicle's gateway {self.address} {_why(fault)}"


def _client(url: str) -> Redis:
    try:
        if urlsplit(url).scheme not in ("redis", "rediss") or not urlsplit(url).hostname:
            raise ValueError
        return cast("Any", Redis).from_url(
            url,
            protocol=2,  # one question fewer when it connects
            socket_connect_timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            decode_responses=False,
        )
    except (ValueError, TypeError):
        # The address may hold a password, so it is not repeated.
        raise OperatorError(
            "The gateway's address cannot be used: give redis://HOST:PORT/0 (rediss:// for TLS) with"
            " --gateway or MANCARD_VALIDATOR_GATEWAY_URL."
        ) from None


def _why(fault: Exception) -> str:
    if isinstance(fault, AuthenticationError | NoPermissionError):
        return "does not let this validator in: give its user and password in the gateway's address"
    if isinstance(fault, NoAnswer):
        return "does not answer in time: look at the gateway"
    if isinstance(fault, ResponseError):
        return f"answers with an error ({str(fault)[:80]}): look at the gateway"
    return "is not reached: look at its power and at the cable to this validator"


def _life_s(expires_at_s: int, at_s: int) -> int:
    """How long a claim is kept from the moment it is made, whatever the gateway's own clock says."""
    return min(max(expires_at_s + CLAIM_GRACE_S - at_s, CLAIM_GRACE_S), CLAIM_LIFE_S)


def _quoted(vehicle: str) -> str:
    return quote(vehicle, safe="")


def _ticket_key(vehicle: str, cti: bytes) -> str:
    return f"mancard:{{{vehicle}}}:ticket:{cti.hex()}"


def _door(vehicle: str, device: int) -> str:
    return f"mancard:{{{vehicle}}}:door:{device}"

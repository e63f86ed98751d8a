"""A rider's rides priced in a row, each after all that were before it: what every one of them comes to. Pure.

    state -> ride -> price, state -> ride -> ...

Where rides are missing (a card's counter jumps), the next one goes by what the card itself told, as its bus
did: what the ledger has not seen can only be known from there. When they arrive, all is priced again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from fare.collection.asked import price_made
from fare.collection.clocks import contradicted
from fare.collection.words import AdjustmentCause
from fare.core.tariff.context import Step, TapContext, TapKind
from fare.core.tariff.model import Tariff
from fare.core.tariff.pricing import close
from fare.core.tariff.state import CapUse, RiderState


@dataclass(frozen=True, slots=True)
class PastRide:
    """One ride of the past, as the tariff it was judged by sees it.

    `place` orders the rides of one rider. `charged_rial` is what its bus took as a fare. `on_card` tells what
    the card told its bus, None of a ticket; `follows` is False where rides before this one are missing.
    `is_doubted`: a person has to look at it, so it counts only if it was paid in full.
    """

    place: int
    tariff: Tariff
    tap: TapContext
    charged_rial: int
    on_card: Callable[[], RiderState] | None = None
    follows: bool = True
    is_doubted: bool = False


@dataclass(slots=True)
class Due:
    """What a ride comes to, and why. `cause` says it where that is not what the bus charged."""

    due_rial: int
    steps: tuple[Step, ...] = ()
    cause: AdjustmentCause = AdjustmentCause.REPRICED


@dataclass(slots=True)
class Folded:
    """All rides in their order, with the time each was priced at and the rider's state after it.

    `open_ride` has no tap-off yet.
    """

    dues: list[Due] = field(default_factory=list[Due])
    times_s: list[int] = field(default_factory=list[int])
    states: list[RiderState] = field(default_factory=list[RiderState])
    open_ride: int | None = None


def fold(rides: Sequence[PastRide], state: RiderState, since_s: int, until_s: int) -> Folded:
    """Price all of these rides, given in their order, after `state` of `since_s` (unix seconds).

    A journey that is over by `until_s` is closed.

    A leg never comes to less than nothing: what a later leg gives back is taken off the legs before it. A
    ride at a time that others contradict costs what its bus took, and tells nothing of what follows: a bus
    that meets a card from the future goes by that as well.
    """
    folded = Folded()
    at_s = since_s
    false = contradicted([ride.tap.at_s for ride in rides], [ride.tap.vehicle for ride in rides])
    for i, ride in enumerate(rides):
        if i in false:
            folded.dues.append(Due(ride.charged_rial))
            folded.states.append(state)
            folded.times_s.append(at_s)
            continue
        if not ride.follows and ride.on_card is not None:
            state = _as_told(state, ride.on_card())
            if state.journey is None or not _is_of(state.journey.tap.at_s, rides, folded.open_ride):
                folded.open_ride = None
        # Clocks differ by seconds and a card's counter does not lie: time never goes back.
        at_s = max(at_s, ride.tap.at_s)
        tap = ride.tap if ride.tap.at_s == at_s else replace(ride.tap, at_s=at_s)
        state = _one(ride, tap, state, folded)
        folded.states.append(state)
        folded.times_s.append(at_s)
    if folded.open_ride is not None and state.journey is not None:
        _close(rides[folded.open_ride].tariff, state, until_s, folded)
    _carry_back(folded.dues)
    return folded


def _is_of(since_s: int, rides: Sequence[PastRide], index: int | None) -> bool:
    """Whether the journey that the card told of is the one that is open here."""
    return index is not None and rides[index].tap.at_s == since_s


def _one(ride: PastRide, tap: TapContext, state: RiderState, folded: Folded) -> RiderState:
    asked, after = price_made(ride.tariff, state, tap)
    if not asked.boards or not asked.known:
        # Its bus let the rider on all the same: what it charged stands, and tells nothing of what follows.
        folded.dues.append(Due(ride.charged_rial, asked.steps))
        return state
    if ride.is_doubted and ride.charged_rial < asked.amount:
        folded.dues.append(Due(ride.charged_rial, asked.steps))
        return state
    if asked.earlier and folded.open_ride is not None:
        _add(folded.dues[folded.open_ride], asked.earlier, asked.earlier_steps)
    cause = AdjustmentCause.REPRICED
    if asked.amount > ride.charged_rial:
        cause = _why_less(ride, tap)
    folded.dues.append(Due(asked.amount + asked.adjustment, asked.steps, cause))
    if after.journey is None:
        folded.open_ride = None
    elif tap.kind is TapKind.ON and after.journey != state.journey:
        folded.open_ride = len(folded.dues) - 1
    return after


def _why_less(ride: PastRide, tap: TapContext) -> AdjustmentCause:
    """Whether the bus took too little by what the card told, or by itself."""
    if ride.on_card is None:
        return AdjustmentCause.UNDERCHARGED
    told, _ = price_made(ride.tariff, ride.on_card(), tap)
    return AdjustmentCause.UNDERCHARGED if ride.charged_rial < told.amount else AdjustmentCause.FALSE_STATE


def _close(tariff: Tariff, state: RiderState, until_s: int, folded: Folded) -> None:
    closed, after = close(tariff, state, until_s)
    if closed is None or folded.open_ride is None:
        return
    _add(folded.dues[folded.open_ride], closed.adjustment, closed.steps)
    folded.open_ride = None
    folded.states[-1] = after


def _add(due: Due, rial: int, steps: tuple[Step, ...]) -> None:
    due.due_rial += rial
    if rial:
        due.steps = (*due.steps, *steps)
        due.cause = AdjustmentCause.CLOSED


def _carry_back(dues: Sequence[Due]) -> None:
    for i, due in enumerate(dues):
        for before in reversed(dues[:i]):
            if due.due_rial >= 0:
                break
            taken_rial = min(max(0, before.due_rial), -due.due_rial)
            if taken_rial:
                before.due_rial -= taken_rial
                before.steps = (*before.steps, *due.steps)
                due.due_rial += taken_rial
        due.due_rial = max(0, due.due_rial)


def _as_told(known: RiderState, told: RiderState) -> RiderState:
    """What the card told, with what it has no room for: caps that the ledger alone counts."""
    caps: dict[str, CapUse] = dict(told.caps)
    for cap_id, use in known.caps.items():
        other = caps.get(cap_id)
        if other is None or (use.period, use.spent) > (other.period, other.spent):
            caps[cap_id] = use
    return replace(told, caps=caps, passes={**known.passes, **told.passes})

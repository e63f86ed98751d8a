"""Rolling the cards' keys with a second person's approval: a new generation, its activation, its retirement.

    new      made and staged: validators' card keys carry it from their next kit on
    activate new cards get it; refused while the newest kit of a device lacks it, unless forced
    retire   destroyed; refused while an active card still has it. The master of its Transaction MAC key is
             kept as long as any card's proofs need it

It holds no key: `fare.keys` does, in a file or in a token. The first generation of a new ledger alone was
made without anybody's approval. The change itself is the last step before the transaction ends: should the
database fail then, the approval is unspent and the change has happened, and doing it again is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlmodel import Session

from fare.core.errors import OperatorError
from fare.fleet.devices import devices_lacking_card_keys
from fare.issuing.key_generations import GenerationUse, generation_use
from fare.keys import CardMasterStore, GenerationState
from fare.staff import Action, ApprovalView, approvals, request, use

_SHOWN_DEVICES: Final = 20
_LOOKED_THROUGH: Final = 1000


class KeyAction(StrEnum):
    """What a second person allows."""

    NEW_GENERATION = "new_generation"
    ACTIVATE = "activate"
    RETIRE = "retire"


@dataclass(frozen=True, slots=True)
class KeyChange:
    """One change of the generations; an approval is for exactly one. `force`: leave devices behind."""

    action: KeyAction
    version: int
    force: bool = False

    def __str__(self) -> str:
        """As a person reads it."""
        left = ", leaving devices behind that lack it" if self.force else ""
        return f"{self.action.value.replace('_', ' ')} {self.version}{left}"

    def payload(self) -> dict[str, Any]:
        """What the second person looks at, and what the approval binds."""
        return {"key_action": self.action.value, "version": self.version, "force": int(self.force)}


@dataclass(frozen=True, slots=True)
class GenerationView:
    """A generation as people see it. `lacking`: the devices whose newest kit does not carry it."""

    version: int
    state: GenerationState
    use: GenerationUse
    lacking: tuple[int, ...]


def overview(session: Session, masters: CardMasterStore) -> list[GenerationView]:
    """All generations, oldest first."""
    used = generation_use(session)
    return [
        GenerationView(
            one.version,
            one.state,
            used.get(one.version, GenerationUse()),
            ()
            if one.state is GenerationState.RETIRED
            else tuple(devices_lacking_card_keys(session, one.version)),
        )
        for one in masters.listed()
    ]


def request_change(session: Session, change: KeyChange, by: str, now: datetime) -> ApprovalView:
    """Ask a second person for a change. Raises OperatorError for somebody who may not ask."""
    asked = request(session, Action.KEY_ACTION, change.payload(), by, now)
    if not isinstance(asked, ApprovalView):
        raise OperatorError(f"{by} may not ask for a change of keys: a technician may.")
    return asked


def requested_change(session: Session, approval_id: str) -> tuple[ApprovalView, KeyChange]:
    """What was asked for under this number. Raises OperatorError for none, or another kind of action."""
    for asked in approvals(session, limit=_LOOKED_THROUGH):
        if asked.approval_id == approval_id and asked.action is Action.KEY_ACTION:
            named = asked.payload
            return asked, KeyChange(KeyAction(named["key_action"]), named["version"], bool(named["force"]))
    raise OperatorError(f"Nobody asked for a change of card keys under the number {approval_id}.")


def check_change(session: Session, change: KeyChange) -> GenerationUse:
    """Raise OperatorError while cards or devices are in the way; returns which cards the generation has."""
    used = generation_use(session).get(change.version, GenerationUse())
    if change.action is KeyAction.ACTIVATE and not change.force:
        _require_devices(session, change.version)
    if change.action is KeyAction.RETIRE and used.opened:
        cards = "1 active card" if used.opened == 1 else f"{used.opened} active cards"
        raise OperatorError(
            f"Generation {change.version} is on {cards}: roll their keys first, or deny those that are gone."
        )
    return used


def apply_change(
    session: Session, masters: CardMasterStore, change: KeyChange, approval_id: str, now: datetime
) -> None:
    """Do what was approved. Raises NotApproved, and OperatorError when cards or devices are in the way."""
    use(session, approval_id, Action.KEY_ACTION, change.payload(), now)
    used = check_change(session, change)
    match change.action:
        case KeyAction.NEW_GENERATION:
            masters.add_generation(change.version)
        case KeyAction.ACTIVATE:
            masters.activate(change.version)
        case KeyAction.RETIRE:
            masters.retire(change.version, keep_proofs=used.proven > 0)


def _require_devices(session: Session, version: int) -> None:
    lacking = devices_lacking_card_keys(session, version)
    if not lacking:
        return
    named = ", ".join(str(device) for device in lacking[:_SHOWN_DEVICES])
    more = f" and {len(lacking) - _SHOWN_DEVICES} more" if len(lacking) > _SHOWN_DEVICES else ""
    raise OperatorError(
        f"Cards of generation {version} would be refused by device {named}{more}: bring each its newer keys"
        " with 'mancard fleet card-keys DEVICE --out FOLDER', or say --force."
    )

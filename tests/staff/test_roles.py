from __future__ import annotations

import pytest

from fare.staff import FOUR_EYES, MONEY_RIGHTS, RIGHTS, Action, Role
from fare.staff.roles import Right


def test_an_administrator_touches_no_money() -> None:
    assert not RIGHTS[Role.ADMINISTRATOR] & MONEY_RIGHTS
    assert not RIGHTS[Role.ADMINISTRATOR] & {
        right for eyes in FOUR_EYES.values() for right in (eyes.to_request, eyes.to_approve)
    }


def test_an_auditor_changes_nothing() -> None:
    assert RIGHTS[Role.AUDITOR] == {Right.READ_DAY, Right.READ_APPROVALS}


def test_an_owner_sees_its_own_day_alone() -> None:
    assert RIGHTS[Role.OWNER] == {Right.READ_OWN_DAY}


def test_only_a_clerk_issues_cards_and_it_is_a_money_right() -> None:
    assert [role for role in Role if Right.ISSUE_MEDIA in RIGHTS[role]] == [Role.CLERK]
    assert Right.ISSUE_MEDIA in MONEY_RIGHTS


@pytest.mark.parametrize("role", Role)
def test_every_role_has_rights(role: Role) -> None:
    assert RIGHTS[role]


@pytest.mark.parametrize("action", Action)
def test_every_action_for_two_people_can_be_requested_and_approved(action: Action) -> None:
    held = {right for rights in RIGHTS.values() for right in rights}
    assert {FOUR_EYES[action].to_request, FOUR_EYES[action].to_approve} <= held

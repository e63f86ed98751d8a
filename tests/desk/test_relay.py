"""Steps of relayed jobs: repeated, out of order, from strangers, abandoned, without end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from datetime import timedelta

import pytest

from fare.core.desfire.application import Conversation
from fare.core.desfire.errors import CardTorn
from fare.database.faults import DatabaseUnavailable
from fare.desk import Outcome
from fare.desk.outcomes import Rolled
from fare.desk.relay import (
    IDLE,
    MAX_JOBS,
    MAX_JOBS_OF_A_SESSION,
    MAX_REPLY_BYTES,
    MAX_STEPS,
    Relay,
    RelayRefusal,
    RelayRefused,
)
from tests.desk.build import SetClock

DONE = Rolled(1, 2, 1)
ASKED = b"roll"


class Scripted:
    """A conversation of `steps` commands that remembers what it was told, and whether it was closed."""

    def __init__(self, steps: int = 3, fault: Exception | None = None) -> None:
        self.steps, self.fault = steps, fault
        self.heard: list[bytes] = []
        self.closed = False

    def __call__(self) -> Conversation[Outcome]:
        return self._run()

    def _run(self) -> Generator[bytes, bytes, Outcome]:
        try:
            for step in range(self.steps):
                self.heard.append((yield bytes([step % 256])))
            if self.fault is not None:
                raise self.fault
            return DONE
        except GeneratorExit:
            self.closed = True
            raise


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def relay(clock: SetClock) -> Relay:
    return Relay(clock)


def refused(reason: RelayRefusal):
    return pytest.raises(RelayRefused, match=reason)


def test_a_job_goes_step_by_step_to_its_end(relay: Relay) -> None:
    job = Scripted()
    step = relay.start("desk", "1", ASKED, job)
    for number in range(3):
        assert (step.number, step.command) == (number + 1, bytes([number]))
        step = relay.answer("desk", step.job_id, step.number, b"reply %d" % number)
    assert (step.command, step.outcome, step.failure) == (None, DONE, None)
    assert job.heard == [b"reply 0", b"reply 1", b"reply 2"]


def test_a_repeated_step_is_answered_the_same_and_done_once(relay: Relay) -> None:
    job = Scripted(2)
    first = relay.start("desk", "1", ASKED, job)
    assert relay.start("desk", "1", ASKED, job) == first
    second = relay.answer("desk", first.job_id, 1, b"a")
    assert relay.answer("desk", first.job_id, 1, b"a") == second
    end = relay.answer("desk", first.job_id, 2, b"b")
    assert relay.answer("desk", first.job_id, 2, b"b") == end
    assert relay.start("desk", "1", ASKED, job) == end
    assert job.heard == [b"a", b"b"]


def test_other_replies_and_other_steps_are_refused_and_change_nothing(relay: Relay) -> None:
    job = Scripted(3)
    job_id = relay.start("desk", "1", ASKED, job).job_id
    relay.answer("desk", job_id, 1, b"a")
    with refused(RelayRefusal.OTHER_REPLY):
        relay.answer("desk", job_id, 1, b"x")
    for number in (0, 3, 99):
        with refused(RelayRefusal.OUT_OF_ORDER):
            relay.answer("desk", job_id, number, b"a")
    with refused(RelayRefusal.REPLY_TOO_LONG):
        relay.answer("desk", job_id, 2, bytes(MAX_REPLY_BYTES + 1))
    with refused(RelayRefusal.OTHER_REQUEST):
        relay.start("desk", "1", b"something else", job)
    assert relay.answer("desk", job_id, 2, b"b").number == 3
    assert job.heard == [b"a", b"b"]


def test_nothing_follows_the_end(relay: Relay) -> None:
    job_id = relay.start("desk", "1", ASKED, Scripted(1)).job_id
    end = relay.answer("desk", job_id, 1, b"a")
    with refused(RelayRefusal.OUT_OF_ORDER):
        relay.answer("desk", job_id, end.number, b"b")


def test_a_job_belongs_to_its_session(relay: Relay) -> None:
    job_id = relay.start("desk", "1", ASKED, Scripted()).job_id
    with refused(RelayRefusal.UNKNOWN_JOB):
        relay.answer("another", job_id, 1, b"a")
    # The same name of a request in another session is another job.
    assert relay.start("another", "1", ASKED, Scripted()).job_id != job_id


def test_a_known_fault_is_told_and_any_other_ends_the_job(relay: Relay) -> None:
    job_id = relay.start("desk", "1", ASKED, Scripted(1, CardTorn(0xC7))).job_id
    told = relay.answer("desk", job_id, 1, b"")
    assert told.failure is not None
    assert (told.failure.error, told.outcome) == ("card_torn", None)
    assert "hold it still" in told.failure.sentence
    away = DatabaseUnavailable("The PostgreSQL server at 10.0.0.7 cannot be reached.")
    told = relay.answer("desk", relay.start("desk", "3", ASKED, Scripted(1, away)).job_id, 1, b"")
    assert told.failure is not None
    assert told.failure.error == "database_unavailable"
    assert "10.0.0.7" not in told.failure.sentence
    job_id = relay.start("desk", "2", ASKED, Scripted(1, ZeroDivisionError())).job_id
    with pytest.raises(ZeroDivisionError):
        relay.answer("desk", job_id, 1, b"")
    with refused(RelayRefusal.UNKNOWN_JOB):
        relay.answer("desk", job_id, 1, b"")


def test_an_idle_job_ends_and_its_session_keys_with_it(relay: Relay, clock: SetClock) -> None:
    idle, busy = Scripted(), Scripted()
    idle_id = relay.start("desk", "1", ASKED, idle).job_id
    busy_id = relay.start("desk", "2", ASKED, busy).job_id
    clock.now += IDLE - timedelta(seconds=1)
    relay.answer("desk", busy_id, 1, b"a")
    clock.now += timedelta(seconds=1)
    with refused(RelayRefusal.UNKNOWN_JOB):
        relay.answer("desk", idle_id, 1, b"a")
    assert (idle.closed, busy.closed, len(relay)) == (True, False, 1)
    relay.drop("desk")
    assert (busy.closed, len(relay)) == (True, 0)


def test_jobs_are_limited_for_a_session_and_in_all(relay: Relay) -> None:
    first, *_ = [
        relay.start("desk", str(number), ASKED, Scripted(1)) for number in range(MAX_JOBS_OF_A_SESSION)
    ]
    with refused(RelayRefusal.TOO_MANY_JOBS):
        relay.start("desk", "more", ASKED, Scripted())
    relay.answer("desk", first.job_id, 1, b"a")  # one that has ended makes room
    relay.start("desk", "more", ASKED, Scripted())
    for number in range(MAX_JOBS - MAX_JOBS_OF_A_SESSION):
        relay.start(f"desk {number}", "1", ASKED, Scripted())
    with refused(RelayRefusal.TOO_MANY_JOBS):
        relay.start("yet another", "1", ASKED, Scripted())


def test_a_job_without_end_is_ended(relay: Relay) -> None:
    job = Scripted(10 * MAX_STEPS)
    step = relay.start("desk", "1", ASKED, job)
    while step.command is not None:
        step = relay.answer("desk", step.job_id, step.number, b"")
    assert step.failure is not None
    assert step.failure.error == "too_many_steps"
    assert (job.closed, len(job.heard)) == (True, MAX_STEPS - 1)


def test_the_same_step_from_many_threads_is_done_once(relay: Relay) -> None:
    job = Scripted(1)
    job_id = relay.start("desk", "1", ASKED, job).job_id
    ends: list[Outcome | None] = []
    ready = threading.Barrier(8)

    def ask(tell: Callable[[Outcome | None], None]) -> None:
        ready.wait()
        tell(relay.answer("desk", job_id, 1, b"a").outcome)

    threads = [threading.Thread(target=ask, args=(ends.append,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == [DONE] * 8
    assert job.heard == [b"a"]

from __future__ import annotations

from datetime import timedelta

from fare.staff import LoginThrottle
from fare.staff.throttle import FAILURES_PER_ADDRESS, FAILURES_PER_NAME, MAX_REMEMBERED, WINDOW
from tests.staff.people import NOW


def test_a_name_waits_after_some_failures_from_anywhere() -> None:
    throttle = LoginThrottle()
    for n in range(FAILURES_PER_NAME):
        assert throttle.is_open("sara", f"10.0.0.{n}", NOW)
        throttle.failed("sara", f"10.0.0.{n}", NOW)
    assert not throttle.is_open("sara", "10.0.1.1", NOW)
    assert throttle.is_open("bahram", "10.0.1.1", NOW)
    assert throttle.is_open("sara", "10.0.1.1", NOW + WINDOW)


def test_an_address_waits_whatever_names_it_tries() -> None:
    throttle = LoginThrottle()
    for n in range(FAILURES_PER_ADDRESS):
        throttle.failed(f"name-{n}", "10.0.0.1", NOW)
    assert not throttle.is_open("fresh", "10.0.0.1", NOW)
    assert throttle.is_open("fresh", "10.0.0.2", NOW)


def test_success_forgets_the_failures_of_the_name() -> None:
    throttle = LoginThrottle()
    for _ in range(FAILURES_PER_NAME):
        throttle.failed("sara", "10.0.0.1", NOW)
    throttle.succeeded("sara")
    assert throttle.is_open("sara", "10.0.0.1", NOW)


def test_memory_is_bounded() -> None:
    throttle = LoginThrottle()
    for n in range(MAX_REMEMBERED):
        throttle.failed(f"name-{n}", f"address-{n}", NOW + timedelta(milliseconds=n))
    assert len(throttle._failures) == MAX_REMEMBERED

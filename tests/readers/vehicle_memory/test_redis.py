"""A gateway that dies, forgets, stands still and comes back: tickets ride on, and it is believed only when it
knows what every door knows.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from redis import Redis

from fare.core.errors import OperatorError
from fare.core.replay import CLAIM_GRACE_S
from readers.process import ValidatorOptions
from readers.settings import ValidatorSettings
from readers.shown import Lamp
from readers.vehicle_memory.port import CLAIM_LIFE_S
from readers.vehicle_memory.redis import ROWS_AT_ONCE, gateway_at, shown_address
from tests.readers.bus import NOW_S
from tests.readers.vehicle_memory.conftest import OTHER_DOOR, Doors, Gateway, MakeDoors

NOT_SHARED = ("replay_not_shared",)


@pytest.fixture
def doors(gateway: Gateway, make_doors: MakeDoors) -> Doors:
    return make_doors(gateway_at(gateway.url))


def test_a_gateway_that_was_restarted_is_told_every_ride_again(doors: Doors, gateway: Gateway) -> None:
    front, back = doors.open(), doors.open(OTHER_DOOR)
    early, during = doors.issuer.phone(), doors.issuer.phone()
    assert front.process.scan(early.ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    gateway.kill()
    assert front.process.scan(during.ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    assert front.journalled()[-1].flags == NOT_SHARED
    assert doors.step(front, back) == [False, False]
    assert front.process.shared is not None
    assert "is not reached" in front.process.shared.problem
    gateway.start()
    # The back door alone is back: the front door's rides are missing, so its answer is not enough.
    assert doors.step(back) == [True]
    fresh = doors.issuer.phone()
    assert back.process.scan(fresh.ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    assert back.journalled()[-1].flags == NOT_SHARED
    assert doors.step(front) == [True]
    for phone in (early, during):
        assert back.process.scan(phone.ticket_text(NOW_S, 1)).reason == "already_paid"
    assert front.process.scan(fresh.ticket_text(NOW_S, 1)).reason == "already_paid"
    assert back.process.scan(doors.issuer.phone().ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    assert back.journalled()[-1].flags == ()


def test_a_gateway_that_lost_its_keys_without_a_restart_is_not_believed(
    doors: Doors, gateway: Gateway
) -> None:
    front, back = doors.open(), doors.open(OTHER_DOOR)
    phone = doors.issuer.phone()
    assert front.process.scan(phone.ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    with Redis.from_url(gateway.url) as client:
        client.flushall()
    assert back.process.scan(doors.issuer.phone().ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    assert back.journalled()[-1].flags == NOT_SHARED
    doors.step(back, front)
    assert back.process.scan(phone.ticket_text(NOW_S, 1)).reason == "already_paid"


def test_a_gateway_that_stands_still_delays_no_rider(doors: Doors, gateway: Gateway) -> None:
    front, back = doors.open(), doors.open(OTHER_DOOR)
    doors.step(front)
    gateway.stand_still()
    phone, next_phone = doors.issuer.phone(), doors.issuer.phone()
    began_s = time.monotonic()
    assert front.process.scan(phone.ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    assert time.monotonic() - began_s < 0.5
    began_s = time.monotonic()
    assert front.process.scan(next_phone.ticket_text(NOW_S, 1)).lamp is Lamp.GREEN  # not waited for twice
    assert time.monotonic() - began_s < 0.15
    assert [tap.flags for tap in front.journalled()] == [NOT_SHARED, NOT_SHARED]
    assert doors.step(front) == [False]
    gateway.go_on()
    while not all(doors.step(front, back)):
        pass
    for used in (phone, next_phone):
        assert back.process.scan(used.ticket_text(NOW_S, 1)).reason == "already_paid"


def test_all_of_a_long_journal_is_told(doors: Doors, gateway: Gateway) -> None:
    front = doors.open()
    phones = [doors.issuer.phone(max_taps=255) for _ in range(2)]
    texts = [phone.ticket_text(NOW_S, ctr) for phone in phones for ctr in range(1, ROWS_AT_ONCE, 2)]
    texts += [phones[0].ticket_text(NOW_S, ROWS_AT_ONCE + n) for n in range(2)]
    assert len(texts) > ROWS_AT_ONCE
    gateway.kill()
    for text in texts:
        assert front.process.scan(text).lamp is Lamp.GREEN
    gateway.start()
    back = doors.open(OTHER_DOOR)
    doors.step(front)
    assert {back.process.scan(text).reason for text in texts} == {"already_paid"}


def test_claims_expire_with_the_entitlement(doors: Doors, gateway: Gateway) -> None:
    front = doors.open()
    front.process.scan(doors.issuer.phone(life_s=600).ticket_text(NOW_S, 1, 3))
    doors.clock.synchronised = False
    front.process.scan(doors.issuer.phone(life_s=600).ticket_text(NOW_S, 1))
    with Redis.from_url(gateway.url, decode_responses=True) as client:
        tickets = sorted(client.ttl(key) for key in client.scan_iter("mancard:*:ticket:*"))
        (door,) = client.scan_iter("mancard:*:door:*")
    assert 600 < tickets[0] <= 600 + CLAIM_GRACE_S
    assert 72 * 3600 < tickets[1] <= CLAIM_LIFE_S
    assert door.startswith("mancard:{%D8%A7")  # the vehicle's name
    assert door.endswith(":door:7")


def test_a_wrong_password_or_address_is_a_sentence_without_the_password(
    make_doors: MakeDoors, gateway: Gateway, tmp_path: Path
) -> None:
    wrong = f"redis://:hunter-two@127.0.0.1:{gateway.port}/0"
    doors = make_doors(gateway_at(wrong))
    front = doors.open()
    assert front.process.scan(doors.issuer.phone().ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    assert front.process.shared is not None
    problem = front.process.shared.problem
    assert "does not let this validator in" in problem
    for bad in ("http://:hunter-two@gateway/0", "hunter-two", "redis://:hunter-two@gateway:port/0"):
        with pytest.raises(OperatorError) as refused:
            gateway_at(bad)
        assert "hunter-two" not in str(refused.value)
    said = [
        problem,
        shown_address(wrong),
        repr(ValidatorSettings(gateway_url=wrong)),
        repr(ValidatorOptions(tmp_path, gateway_url=wrong)),
    ]
    assert not any("hunter-two" in text for text in said)
    assert shown_address(wrong) == f"127.0.0.1:{gateway.port}/0"


def test_something_else_at_the_gateways_address_stops_nobody(make_doors: MakeDoors) -> None:
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def babble() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n\xff\xfe")

        threading.Thread(target=babble, daemon=True).start()
        doors = make_doors(gateway_at(f"redis://127.0.0.1:{port}/0"))
        front = doors.open()
        assert front.process.scan(doors.issuer.phone().ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
        assert front.journalled()[-1].flags == NOT_SHARED

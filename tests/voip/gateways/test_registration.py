"""REGISTER with a carrier: refresh, back-off, 423 (RFC 3261 §10.2)."""

from __future__ import annotations

import pytest

from denwa.voip.gateways.registration import FIRST_RETRY, LONGEST_RETRY, Next, Registration, granted_expires
from denwa.voip.sip.message import Message, parse_message

CONTACT = b"sip:u@192.0.2.10:5060"


def response(status: int, *headers: str) -> Message:
    lines = [f"SIP/2.0 {status} X", "Via: SIP/2.0/UDP h;branch=z9hG4bK1", "From: <sip:u@c>;tag=1",
             "To: <sip:u@c>;tag=2", "Call-ID: r", "CSeq: 1 REGISTER", *headers, "\r\n"]  # fmt: skip
    return parse_message("\r\n".join(lines).encode())


@pytest.mark.parametrize(("headers", "granted"), [
    (["Contact: <sip:u@192.0.2.10:5060>;expires=120"], 120),
    (["Contact: <sip:other@192.0.2.9>;expires=7, <sip:u@192.0.2.10:5060>;q=1;Expires=90", "Expires: 3600"], 90),
    (["Contact: <sip:u@192.0.2.10:5060>", "Expires: 600"], 600),
    (["Contact: <sip:other@192.0.2.9>;expires=7", "Expires: 300"], 300),
    ([], None),
])  # fmt: skip
def test_what_is_granted_stands_with_our_contact_or_in_expires(headers: list[str], granted: int | None) -> None:
    assert granted_expires(response(200, *headers), CONTACT) == granted


@pytest.mark.parametrize(("granted", "after"), [(3600, 3540), (180, 120), (60, 40), (30, 20)])
def test_it_is_refreshed_before_it_ends_with_time_for_more_tries(granted: int, after: int) -> None:
    registration = Registration(3600)
    step = registration.answered(response(200, f"Expires: {granted}"), CONTACT, 100.0)
    assert (step.what, step.after) == (Next.WAIT, after)
    assert registration.registered(100.0 + granted - 0.1)
    assert not registration.registered(100.0 + granted)


def test_423_is_asked_again_at_once_with_what_the_carrier_wants() -> None:
    registration = Registration(60)
    assert registration.answered(response(423, "Min-Expires: 600"), CONTACT, 0.0).what is Next.AT_ONCE
    assert registration.asked == 600
    assert registration.answered(response(423, "Min-Expires: 600"), CONTACT, 0.0).what is Next.WAIT  # no endless game
    assert registration.answered(response(423, "Min-Expires: 99999999"), CONTACT, 0.0).what is Next.WAIT


def test_failures_wait_longer_and_longer_and_success_forgets_them() -> None:
    registration = Registration(3600)
    waits = [registration.silent(0.0).after for _ in range(12)]
    assert waits[:4] == [FIRST_RETRY, FIRST_RETRY * 2, FIRST_RETRY * 4, FIRST_RETRY * 8]
    assert waits[-1] == LONGEST_RETRY
    registration.answered(response(200, "Expires: 60"), CONTACT, 0.0)
    assert registration.silent(0.0).after == FIRST_RETRY


def test_retry_after_is_respected_and_another_address_is_tried_on_503_and_silence() -> None:
    registration = Registration(3600)
    step = registration.answered(response(503, "Retry-After: 120"), CONTACT, 0.0)
    assert (step.after, step.elsewhere) == (120.0, True)
    assert registration.silent(0.0).elsewhere
    assert not registration.answered(response(403), CONTACT, 0.0).elsewhere


def test_a_second_challenge_is_answered_only_when_the_nonce_had_aged() -> None:
    registration = Registration(3600)
    assert registration.challenged(stale=False)
    assert registration.challenged(stale=True)
    assert not registration.challenged(stale=True)
    registration.refused(0.0)
    assert registration.challenged(stale=False)
    assert not registration.challenged(stale=False)


def test_a_grant_of_nothing_is_no_registration() -> None:
    registration = Registration(3600)
    registration.answered(response(200, "Expires: 0"), CONTACT, 5.0)
    assert not registration.registered(5.0)

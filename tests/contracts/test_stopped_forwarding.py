"""What a forwarding may point to, and what the operator stops (F3, F5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from denwa.contracts.desk import Desk
from denwa.contracts.faults import ContractFault, Reason
from denwa.contracts.forwarding_desk import allow_forwarding, stop_forwarding
from denwa.contracts.notices import Addressee, NoticeKind, NoticeState, forwarding_notice
from denwa.contracts.subscriber import Act, Forward, ForwardMode, Subscriber
from denwa.storage.forwarding_rows import listed_stopped
from tests.contracts.desks import NOW, application

A, B, C, D = (f"+81505001000{n}" for n in range(1, 5))
FIXED = "+81312345678"
LATER = NOW + timedelta(days=1)


@pytest.fixture
def four(desk: Desk) -> Desk:
    for number in (A, B, C, D):
        desk.add(application(number=number), "test", NOW)
    return desk


def forward(desk: Desk, number: str, text: str) -> None:
    desk.change(number, {"forward": text}, "test", NOW)


def refusal(desk: Desk, number: str, text: str) -> str:
    with pytest.raises(ContractFault) as refused:
        forward(desk, number, text)
    assert refused.value.reason is Reason.FORWARD_TARGET
    return str(refused.value)


# -- F3: when it is saved ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["always", "noanswer"])
def test_two_subscribers_cannot_forward_to_each_other(four: Desk, mode: str) -> None:
    forward(four, A, f"{mode}:{B}")
    assert "circle" in refusal(four, B, f"{mode}:{A}")
    assert four.find(B).forward == Forward()
    assert four.find(B).voicemail  # nothing of a refused change is in force


def test_a_circle_of_any_length_is_refused_and_a_chain_is_not(four: Desk) -> None:
    forward(four, A, f"always:{B}")
    forward(four, B, f"noanswer:{C}")
    forward(four, C, f"always:{D}")
    assert "circle" in refusal(four, D, f"noanswer:{A}")
    assert "circle" in refusal(four, D, f"always:{B}")
    forward(four, D, f"always:{FIXED}")
    forward(four, B, f"always:{D}")  # a shorter way is still none round


def test_a_circle_that_is_there_already_does_not_keep_the_check_busy(four: Desk) -> None:
    with four.store.changing("test", NOW) as unit:
        for number, target in ((B, C), (C, B)):
            found = unit.find(number)
            assert found is not None
            changed = {"voicemail": False, "forward": Forward(ForwardMode.ALWAYS, target)}
            unit.replace(_with(found, changed), "by hand")
    assert "circle" in refusal(four, A, f"always:{B}")


def _with(subscriber: Subscriber, values: dict[str, Any]) -> Subscriber:

    return replace(subscriber, **values)


def test_a_number_of_ours_that_nobody_has_is_refused_and_a_stranger_s_is_not(four: Desk) -> None:
    assert "nobody" in refusal(four, A, "always:05050010099")
    four.move(D, Act.TERMINATE, "test", NOW)
    assert "nobody" in refusal(four, A, f"always:{D}")
    forward(four, A, "always:05010001234")


def test_other_settings_can_be_changed_while_the_target_is_gone(four: Desk) -> None:
    forward(four, A, f"noanswer:{D}")
    four.move(D, Act.TERMINATE, "test", NOW)
    assert four.change(A, {"ring_time": "30"}, "test", NOW).ring_time == 30


# -- F5 ---------------------------------------------------------------------------------------------------------------


def stop(desk: Desk, number: str = A, reason: str = "間違い電話の申出") -> None:
    with desk.changing("cli:op", LATER) as clerk:
        stop_forwarding(clerk, number, reason)


def test_a_stopped_forwarding_is_off_logged_and_told(four: Desk) -> None:
    forward(four, A, f"always:{FIXED}")
    stop(four)
    assert four.find(A).forward == Forward()
    last = four.store.changes(A)[-1]
    assert last.who == "cli:op"
    assert last.what == f"forward always:{FIXED} -> off, stopped: 間違い電話の申出"
    with four.changing("test", LATER) as clerk:
        (notice,) = clerk.unit.notices(A)
    assert (notice.kind, notice.state, notice.due_on) == (
        NoticeKind.FORWARDING,
        NoticeState.WAITING,
        date(2026, 11, 22),
    )
    assert "03-1234-5678" in notice.text
    assert "間違い電話の申出" in notice.text


def test_a_stopped_forwarding_cannot_be_set_again_until_it_is_allowed_and_another_can(four: Desk) -> None:
    engine = four.store.engine  # type: ignore[attr-defined]
    forward(four, A, f"always:{FIXED}")
    stop(four)
    assert "operator" in refusal(four, A, f"noanswer:{FIXED}")
    forward(four, A, "noanswer:09012345678")
    forward(four, B, f"always:{FIXED}")  # it was A's that was stopped
    with four.changing("cli:op", LATER) as clerk:
        allow_forwarding(clerk, A, FIXED)
    assert four.find(A).forward.target == "+819012345678"  # nothing is switched
    forward(four, A, f"always:{FIXED}")
    (kept,) = listed_stopped(engine, A)
    assert (kept.target, kept.stopped_by, kept.allowed_by, kept.allowed_at) == (FIXED, "cli:op", "cli:op", LATER)
    assert listed_stopped(engine, B) == []


def test_stopping_twice_tells_twice(four: Desk) -> None:
    for _ in range(2):
        forward(four, A, f"always:{FIXED}")
        stop(four)
        with four.changing("cli:op", LATER) as clerk:
            allow_forwarding(clerk, A, FIXED)
    with four.changing("test", LATER) as clerk:
        assert len(clerk.unit.notices(A)) == 2


@pytest.mark.parametrize("number", [B, "+815050010099"])
def test_what_is_not_forwarded_cannot_be_stopped(four: Desk, number: str) -> None:
    with pytest.raises(ContractFault) as refused:
        stop(four, number)
    assert refused.value.reason in (Reason.STATE, Reason.UNKNOWN_SUBSCRIBER)


def test_what_was_not_stopped_cannot_be_allowed(four: Desk) -> None:
    with pytest.raises(ContractFault) as refused, four.changing("cli:op", LATER) as clerk:
        allow_forwarding(clerk, A, FIXED)
    assert refused.value.reason is Reason.STATE


@pytest.mark.parametrize("reason", ["", "   ", "a\nb", "x" * 201])
def test_a_reason_is_a_line_of_text(four: Desk, reason: str) -> None:
    forward(four, A, f"always:{FIXED}")
    with pytest.raises(ContractFault) as refused:
        stop(four, reason=reason)
    assert refused.value.reason is Reason.BAD_VALUE
    assert four.find(A).forward != Forward()


def test_the_notice_says_what_was_stopped_and_what_can_be_set_instead() -> None:
    to = Addressee(A, "山田", "Denwa")
    notice = forwarding_notice(to, FIXED, "苦情　complaint", 7, date(2026, 11, 22))
    assert (notice.about, notice.subject) == ("stop 7", "着信転送の中止のお知らせ")
    for part in ("山田 様", "2026年11月22日", "03-1234-5678", "理由：苦情　complaint", "Number: 050-5001-0001"):
        assert part in notice.text

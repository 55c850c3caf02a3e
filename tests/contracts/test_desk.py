"""The contract desk over a real database."""

from datetime import timedelta

import pytest

from denwa.contracts.credentials import ha1
from denwa.contracts.desk import Desk
from denwa.contracts.faults import ContractFault, Reason
from denwa.contracts.stock import OwnRange
from denwa.contracts.subscriber import LIFECYCLE, Act, Forward, State
from denwa.storage.contracts_store import SqlContractsStore
from tests.contracts.desks import NOW, NUMBER, REALM, application, make_desk

LATER = NOW + timedelta(days=1)


def reason_of(refused: pytest.ExceptionInfo[ContractFault]) -> Reason:
    return refused.value.reason


def add_next(desk: Desk) -> str:
    return desk.add(application(number=""), "test", NOW)[0].number


def test_a_new_subscriber_can_be_found_and_authenticated(desk: Desk) -> None:
    added, password = desk.add(application(web_password="hello"), "test", NOW)
    assert desk.find(NUMBER) == added
    assert added.account == "50010001"  # N2
    assert (added.credentials.ha1_md5, added.credentials.ha1_sha256) == ha1("50010001", REALM, password)
    assert desk.sip_password(added) == password
    assert desk.web_passwords.verify(added.web_password_hash, "hello")
    assert added.service_start == NOW


def test_no_password_stands_readable_in_the_subscriber(desk: Desk) -> None:
    added, _ = desk.add(application(sip_password="open-sesame", web_password="mellon-mellon"), "test", NOW)
    assert "open-sesame" not in repr(added)
    assert "mellon" not in repr(added)
    assert added.credentials.ha1_md5 not in repr(added)
    assert "open-sesame" not in added.credentials.sealed_password


def test_numbers_are_given_in_order(desk: Desk) -> None:  # N1
    assert [add_next(desk) for _ in range(3)] == ["+815050010000", "+815050010001", "+815050010002"]


def test_a_number_given_by_hand_is_passed_over(desk: Desk) -> None:  # N1
    desk.add(application(number="+815050010001"), "test", NOW)
    assert [add_next(desk) for _ in range(2)] == ["+815050010000", "+815050010002"]


def test_a_number_is_not_given_again_after_its_contract_ended(desk: Desk) -> None:  # N1
    number = add_next(desk)
    desk.move(number, Act.TERMINATE, "test", LATER)
    assert add_next(desk) == "+815050010001"
    with pytest.raises(ContractFault) as refused:
        desk.add(application(number=number), "test", LATER)
    assert reason_of(refused) is Reason.NUMBER_TAKEN


def test_when_a_range_is_used_up_the_next_one_follows_and_then_none(desk: Desk) -> None:  # N1
    assert isinstance(desk.store, SqlContractsStore)
    ranges = (OwnRange("+815050010008", "+815050010009"), OwnRange("+815050020000", "+815050020000"))
    small = make_desk(desk.store.engine, ranges=ranges)
    assert [add_next(small) for _ in range(3)] == ["+815050010008", "+815050010009", "+815050020000"]
    with pytest.raises(ContractFault) as refused:
        add_next(small)
    assert reason_of(refused) is Reason.NO_NUMBER_LEFT


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"number": "+815050020000"}, Reason.NOT_OWN_NUMBER),
        ({"mail": "nobody"}, Reason.BAD_VALUE),
        ({"name": "a\nb"}, Reason.BAD_VALUE),
        ({"sip_password": "two words"}, Reason.BAD_VALUE),
        ({"web_password": "x" * 300}, Reason.BAD_VALUE),
    ],
)
def test_an_application_that_cannot_be_taken_leaves_nothing(desk: Desk, values: dict[str, str], reason: Reason) -> None:
    with pytest.raises(ContractFault) as refused:
        desk.add(application(**values), "test", NOW)
    assert reason_of(refused) is reason
    assert list(desk.store.each()) == []


def test_a_change_is_kept_with_who_and_when(desk: Desk) -> None:  # O1
    desk.add(application(), "cli:a", NOW)
    desk.change(NUMBER, {"forward": "always:0312345678"}, "cli:b", LATER)
    log = desk.store.changes(NUMBER)
    assert [(entry.who, entry.at) for entry in log] == [("cli:a", NOW), ("cli:b", LATER)]
    assert "forward off -> always:+81312345678" in log[1].what
    assert desk.find(NUMBER).changed_at == LATER


def test_a_change_to_the_same_value_is_no_change(desk: Desk) -> None:
    added, _ = desk.add(application(), "test", NOW)
    desk.change(NUMBER, {"ring_time": "20"}, "test", LATER)
    assert desk.find(NUMBER) == added
    assert len(desk.store.changes(NUMBER)) == 1


def test_a_refused_change_leaves_everything_as_it_was(desk: Desk) -> None:
    added, _ = desk.add(application(), "test", NOW)
    with pytest.raises(ContractFault):
        desk.change(NUMBER, {"ring_time": "30", "forward": "always:110"}, "test", LATER)
    assert desk.find(NUMBER) == added
    assert len(desk.store.changes(NUMBER)) == 1


def test_of_the_old_sip_password_nothing_is_left(desk: Desk) -> None:  # N2
    _, old = desk.add(application(), "test", NOW)
    new = desk.new_sip_password()
    after = desk.change(NUMBER, {}, "test", LATER, sip_password=new)
    found = desk.find(NUMBER)
    assert desk.sip_password(found) == new != old
    assert found.credentials.ha1_sha256 == ha1("50010001", REALM, new)[1]
    assert found == after
    log = desk.store.changes(NUMBER)[-1]
    assert log.what == "sip_password"  # that it changed, not to what


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("act", list(Act))
def test_a_contract_lives_as_its_table_says(desk: Desk, state: State, act: Act) -> None:  # L2
    desk.add(application(), "test", NOW)
    for step in {State.ACTIVE: [], State.SUSPENDED: [Act.SUSPEND], State.TERMINATED: [Act.TERMINATE]}[state]:
        desk.move(NUMBER, step, "test", NOW)
    if (state, act) in LIFECYCLE:
        assert desk.move(NUMBER, act, "test", LATER).state is LIFECYCLE[state, act]
        assert desk.find(NUMBER).state is LIFECYCLE[state, act]
    else:
        with pytest.raises(ContractFault) as refused:
            desk.move(NUMBER, act, "test", LATER)
        assert reason_of(refused) is Reason.STATE
        assert desk.find(NUMBER).state is state


def test_a_terminated_contract_never_comes_back_and_cannot_be_changed(desk: Desk) -> None:  # L2
    desk.add(application(), "test", NOW)
    ended = desk.move(NUMBER, Act.TERMINATE, "test", LATER)
    assert ended.ended_at == LATER
    assert not any(state is State.TERMINATED for state, _ in LIFECYCLE)
    for attempt in (
        lambda: desk.change(NUMBER, {"ring_time": "30"}, "test", LATER),
        lambda: desk.change(NUMBER, {}, "test", LATER, sip_password="new-password"),
        lambda: desk.block(NUMBER, "+819012345678", "test", LATER),
    ):
        with pytest.raises(ContractFault) as refused:
            attempt()
        assert reason_of(refused) is Reason.STATE
    assert desk.find(NUMBER) == ended


def test_a_suspended_subscriber_keeps_its_settings(desk: Desk) -> None:  # L2
    desk.add(application(), "test", NOW)
    desk.change(NUMBER, {"forward": "noanswer:0312345678"}, "test", NOW)
    desk.move(NUMBER, Act.SUSPEND, "test", NOW)
    assert desk.move(NUMBER, Act.RESUME, "test", NOW).forward != Forward()


def test_a_blocklist_has_at_most_fifty_numbers(desk: Desk) -> None:  # B1
    desk.add(application(), "test", NOW)
    for n in range(50):
        assert desk.block(NUMBER, f"+8190123456{n:02d}", "test", NOW)
    assert not desk.block(NUMBER, "+819012345600", "test", NOW)  # there already: no fault
    with pytest.raises(ContractFault) as refused:
        desk.block(NUMBER, "+819012345699", "test", NOW)
    assert reason_of(refused) is Reason.BLOCKLIST_FULL
    assert len(desk.store.blocked(NUMBER)) == 50
    desk.unblock(NUMBER, "+819012345600", "test", NOW)
    assert desk.block(NUMBER, "+819012345699", "test", NOW)


def test_a_blocked_number_appears_nowhere_but_in_the_blocklist(desk: Desk) -> None:  # B6
    desk.add(application(), "test", NOW)
    desk.block(NUMBER, "+819012345678", "test", NOW)
    desk.unblock(NUMBER, "+819012345678", "test", NOW)
    assert all("9012345678" not in entry.what for entry in desk.store.changes(NUMBER))
    assert len(desk.store.changes(NUMBER)) == 3


def test_what_is_not_blocked_cannot_be_removed(desk: Desk) -> None:
    desk.add(application(), "test", NOW)
    with pytest.raises(ContractFault) as refused:
        desk.unblock(NUMBER, "+819012345678", "test", NOW)
    assert reason_of(refused) is Reason.NOT_BLOCKED


def test_an_unknown_subscriber_is_a_fault_that_names_the_number(desk: Desk) -> None:
    with pytest.raises(ContractFault, match="050-5001-0001") as refused:
        desk.find(NUMBER)
    assert reason_of(refused) is Reason.UNKNOWN_SUBSCRIBER

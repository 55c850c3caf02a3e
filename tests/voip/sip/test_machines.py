"""The tables of the four machines against RFC 3261 figures 5 to 8, RFC 6026 and RFC 4320."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from denwa.voip.sip.machines import (
    INVITE_CLIENT,
    INVITE_SERVER,
    OTHER_CLIENT,
    OTHER_SERVER,
    Action,
    Event,
    State,
    Table,
)

A, E, S = Action, Event, State
MACHINES = {
    "INVITE server": (INVITE_SERVER, S.PROCEEDING),
    "other server": (OTHER_SERVER, S.TRYING),
    "INVITE client": (INVITE_CLIENT, S.CALLING),
    "other client": (OTHER_CLIENT, S.TRYING),
}
SERVER_EVENTS = {E.REQUEST, E.ACK, E.SEND_1XX, E.SEND_2XX, E.SEND_FAILURE, E.RESEND, E.END, E.LATE}
CLIENT_EVENTS = {E.GOT_1XX, E.GOT_2XX, E.GOT_FAILURE, E.RESEND, E.END}
SENDING = {A.SEND, A.RESEND_LAST, A.SEND_100, A.ACK_FAILURE}
TIMING = {A.START_RESEND, A.BACK_OFF, A.BACK_OFF_T2, A.SLOW_RESEND, A.START_TIMEOUT, A.START_WAIT}
each_machine = pytest.mark.parametrize(("table", "start"), MACHINES.values(), ids=MACHINES)

# What the figures say: which event leads where. (RFC 6026 replaces "2xx ends the transaction" by Accepted.)
FIGURES = {
    "INVITE server": {  # figure 7, RFC 6026 §7.1
        (S.PROCEEDING, E.REQUEST): S.PROCEEDING,
        (S.PROCEEDING, E.SEND_1XX): S.PROCEEDING,
        (S.PROCEEDING, E.SEND_2XX): S.ACCEPTED,
        (S.PROCEEDING, E.SEND_FAILURE): S.COMPLETED,
        (S.COMPLETED, E.REQUEST): S.COMPLETED,
        (S.COMPLETED, E.RESEND): S.COMPLETED,  # G
        (S.COMPLETED, E.ACK): S.CONFIRMED,
        (S.COMPLETED, E.END): S.TERMINATED,  # H
        (S.CONFIRMED, E.END): S.TERMINATED,  # I
        (S.ACCEPTED, E.SEND_2XX): S.ACCEPTED,
        (S.ACCEPTED, E.ACK): S.ACCEPTED,
        (S.ACCEPTED, E.END): S.TERMINATED,  # L
    },
    "other server": {  # figure 8
        (S.TRYING, E.SEND_1XX): S.PROCEEDING,
        (S.TRYING, E.SEND_2XX): S.COMPLETED,
        (S.TRYING, E.SEND_FAILURE): S.COMPLETED,
        (S.PROCEEDING, E.REQUEST): S.PROCEEDING,
        (S.PROCEEDING, E.SEND_1XX): S.PROCEEDING,
        (S.PROCEEDING, E.SEND_2XX): S.COMPLETED,
        (S.PROCEEDING, E.SEND_FAILURE): S.COMPLETED,
        (S.COMPLETED, E.REQUEST): S.COMPLETED,
        (S.COMPLETED, E.END): S.TERMINATED,  # J
        (S.TRYING, E.LATE): S.PROCEEDING,  # RFC 4320 §4.1
        (S.TRYING, E.END): S.TERMINATED,  # RFC 4320 §4.2: never a 408, so an unanswered one is forgotten
        (S.PROCEEDING, E.END): S.TERMINATED,
    },
    "INVITE client": {  # figure 5, RFC 6026 §7.2
        (S.CALLING, E.RESEND): S.CALLING,  # A
        (S.CALLING, E.END): S.TERMINATED,  # B
        (S.CALLING, E.GOT_1XX): S.PROCEEDING,
        (S.CALLING, E.GOT_2XX): S.ACCEPTED,
        (S.CALLING, E.GOT_FAILURE): S.COMPLETED,
        (S.PROCEEDING, E.GOT_1XX): S.PROCEEDING,
        (S.PROCEEDING, E.GOT_2XX): S.ACCEPTED,
        (S.PROCEEDING, E.GOT_FAILURE): S.COMPLETED,
        (S.PROCEEDING, E.END): S.TERMINATED,  # §9.1: 64*T1 after the CANCEL; §16.8: timer C
        (S.COMPLETED, E.GOT_FAILURE): S.COMPLETED,
        (S.COMPLETED, E.END): S.TERMINATED,  # D
        (S.ACCEPTED, E.GOT_2XX): S.ACCEPTED,
        (S.ACCEPTED, E.END): S.TERMINATED,  # M
    },
    "other client": {  # figure 6
        (S.TRYING, E.RESEND): S.TRYING,  # E
        (S.TRYING, E.END): S.TERMINATED,  # F
        (S.TRYING, E.GOT_1XX): S.PROCEEDING,
        (S.TRYING, E.GOT_2XX): S.COMPLETED,
        (S.TRYING, E.GOT_FAILURE): S.COMPLETED,
        (S.PROCEEDING, E.RESEND): S.PROCEEDING,
        (S.PROCEEDING, E.END): S.TERMINATED,
        (S.PROCEEDING, E.GOT_1XX): S.PROCEEDING,
        (S.PROCEEDING, E.GOT_2XX): S.COMPLETED,
        (S.PROCEEDING, E.GOT_FAILURE): S.COMPLETED,
        (S.COMPLETED, E.END): S.TERMINATED,  # K
    },
}


def actions_of(table: Table, event: Event) -> dict[State, tuple[Action, ...]]:
    return {state: actions for (state, seen), (_, actions) in table.items() if seen is event}


@pytest.mark.parametrize("name", MACHINES)
def test_a_table_is_the_figure(name):
    table, _ = MACHINES[name]
    assert {row: after for row, (after, _) in table.items()} == FIGURES[name]


@each_machine
def test_every_state_is_reached_and_every_state_can_end(table, start):
    def reach(begin: State) -> set[State]:
        seen, fresh = {begin}, [begin]
        while fresh:
            state = fresh.pop()
            for (before, _), (after, _) in table.items():
                if before is state and after not in seen:
                    seen.add(after)
                    fresh.append(after)
        return seen

    used = {state for (state, _), (after, _) in table.items()} | {after for after, _ in table.values()}
    assert reach(start) == used
    assert all(State.TERMINATED in reach(state) for state in used)


@each_machine
def test_nothing_happens_after_the_end_and_the_end_sends_nothing_and_starts_no_timer(table, start):
    assert not [state for state, _ in table if state is S.TERMINATED]
    for after, actions in table.values():
        if after is S.TERMINATED:
            assert not (SENDING | TIMING) & set(actions)


@each_machine
def test_a_machine_hears_only_what_can_come_to_it(table, start):
    events = {event for _, event in table}
    assert events <= (SERVER_EVENTS if start is S.PROCEEDING or "server" in name_of(table) else CLIENT_EVENTS)


def name_of(table: Table) -> str:
    return next(name for name, (known, _) in MACHINES.items() if known is table)


@pytest.mark.parametrize("table", [INVITE_SERVER, OTHER_SERVER], ids=["INVITE", "other"])
def test_a_second_final_answer_is_swallowed_except_a_2xx_to_an_invite(table):
    later = {
        state: event
        for (state, event), (_, actions) in table.items()
        if A.SEND in actions and state in (S.COMPLETED, S.CONFIRMED, S.ACCEPTED)
    }
    assert later == ({S.ACCEPTED: E.SEND_2XX} if table is INVITE_SERVER else {})


def test_a_request_that_comes_again_is_answered_with_what_was_said_last_and_a_2xx_is_not_ours_to_repeat():
    assert actions_of(INVITE_SERVER, E.REQUEST) == {S.PROCEEDING: (A.RESEND_LAST,), S.COMPLETED: (A.RESEND_LAST,)}
    assert actions_of(OTHER_SERVER, E.REQUEST) == {S.PROCEEDING: (A.RESEND_LAST,), S.COMPLETED: (A.RESEND_LAST,)}


def test_only_an_ack_to_a_2xx_goes_on():
    acks = actions_of(INVITE_SERVER, E.ACK)
    assert acks[S.ACCEPTED] == (A.DELIVER_ACK,)
    assert A.DELIVER_ACK not in acks[S.COMPLETED]


def test_a_failure_is_acknowledged_each_time_and_told_once():
    for (state, event), (_, actions) in INVITE_CLIENT.items():
        if event is E.GOT_FAILURE:
            assert (A.RESEND_LAST if state is S.COMPLETED else A.ACK_FAILURE) in actions
            assert (A.DELIVER in actions) == (state is not S.COMPLETED)
    assert all(A.DELIVER in actions for actions in actions_of(INVITE_CLIENT, E.GOT_2XX).values())


def test_a_client_that_hears_nothing_tells_its_user_and_one_that_was_answered_does_not():
    for table in (INVITE_CLIENT, OTHER_CLIENT):
        for state, actions in actions_of(table, E.END).items():
            assert (A.TIMED_OUT in actions) == (state in (S.TRYING, S.CALLING, S.PROCEEDING))
    assert [s for s, actions in actions_of(OTHER_SERVER, E.END).items() if A.TIMED_OUT in actions] == []


def test_a_late_100_is_sent_only_when_nothing_was_said_before():  # RFC 4320 §4.1
    assert actions_of(OTHER_SERVER, E.LATE) == {S.TRYING: (A.SEND_100,)}


@pytest.mark.parametrize("name", MACHINES)
def test_a_state_with_a_limit_gets_its_timer_on_the_way_in(name):
    """Completed, Confirmed and Accepted end by a timer alone: whoever enters them starts it."""
    table, _ = MACHINES[name]
    for (before, _), (after, actions) in table.items():
        if after is not before and after in (S.COMPLETED, S.CONFIRMED, S.ACCEPTED):
            assert {A.START_TIMEOUT, A.START_WAIT} & set(actions), (before, after)


class _Random(RuleBasedStateMachine):
    """Events in any order: what a run of the table never does."""

    table: Table
    begin: State
    events: tuple[Event, ...]

    @initialize()
    def start(self) -> None:
        self.state = self.begin
        self.finals_sent = self.finals_told = self.ends = 0
        self.over = False

    @rule(data=st.data())
    def event(self, data: st.DataObject) -> None:
        event = data.draw(st.sampled_from(self.events))
        row = self.table.get((self.state, event))
        if row is None:
            return
        assert not self.over, "an event moved a machine that had ended"
        before = self.state
        self.state, actions = row
        self.over = self.state is S.TERMINATED
        self.ends += self.over
        if event in (E.SEND_2XX, E.SEND_FAILURE) and A.SEND in actions and before is not S.ACCEPTED:
            self.finals_sent += 1
        if event in (E.GOT_2XX, E.GOT_FAILURE) and A.DELIVER in actions and before is not S.ACCEPTED:
            self.finals_told += 1

    @invariant()
    def one_final_and_one_end(self) -> None:
        assert self.finals_sent <= 1
        assert self.finals_told <= 1
        assert self.ends <= 1


def _random(name: str) -> type:
    table, begin = MACHINES[name]
    allowed = SERVER_EVENTS if "server" in name else CLIENT_EVENTS
    body = {"table": table, "begin": begin, "events": tuple(sorted(allowed))}
    case = type("Random" + name.title().replace(" ", ""), (_Random,), body).TestCase
    case.settings = settings(max_examples=25, stateful_step_count=15)
    return case


TestInviteServer = _random("INVITE server")
TestOtherServer = _random("other server")
TestInviteClient = _random("INVITE client")
TestOtherClient = _random("other client")

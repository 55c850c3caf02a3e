"""The transaction layer under a clock of the test's: what is sent when, to the millisecond (RFC 3261 §17, table 4)."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from denwa.voip.sip.checks import request_fault
from denwa.voip.sip.fields import cseq_of, top_via
from denwa.voip.sip.message import CSEQ, VIA, Message, parse_message
from denwa.voip.sip.peer import Peer
from denwa.voip.sip.response import make_response
from denwa.voip.sip.timers import TimerQueues
from denwa.voip.sip.transactions import ClientTransaction, ServerTransaction, Transaction, TransactionLayer

UDP: Peer = ("192.0.2.1", 5062)
TCP: Peer = ("192.0.2.1", 5062, 3)


def request(
    method: str, branch: str = "z9hG4bKa", cseq: int = 1, via: str = "192.0.2.1:5062", to_tag: str = ""
) -> bytes:
    return (
        f"{method} sip:b@denwa.example SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch={branch}\r\nMax-Forwards: 70\r\n"
        f"From: <sip:a@denwa.example>;tag=1\r\nTo: <sip:b@denwa.example>{to_tag and ';tag=' + to_tag}\r\n"
        f"Call-ID: c\r\nCSeq: {cseq} {method}\r\nContact: <sip:a@192.0.2.1>\r\nContent-Length: 0\r\n\r\n"
    ).encode()


class User:
    """Keeps what the layer says."""

    def __init__(self) -> None:
        self.requests: list[ServerTransaction] = []
        self.acks = 0
        self.responses: list[int] = []
        self.timeouts: list[Transaction] = []

    def on_request(self, transaction: ServerTransaction, request: Message, now: float) -> None:
        self.requests.append(transaction)

    def on_ack(self, request: Message, peer: Peer, now: float) -> None:
        self.acks += 1

    def on_response(self, transaction: ClientTransaction, response: Message, now: float) -> None:
        self.responses.append(response.status)

    def on_timeout(self, transaction: Transaction, now: float) -> None:
        self.timeouts.append(transaction)


class Bench:
    """A layer, its clock, and the times (in ms from the start) at which it sent."""

    def __init__(self, limit: int = 100) -> None:
        self.user = User()
        self.timers = TimerQueues()
        self.layer = TransactionLayer(self._send, self.user, self.timers, limit)
        self.now = 1000.0
        self.sent: list[tuple[int, bytes]] = []

    def _send(self, peer: Peer, data: bytes) -> None:
        self.sent.append((self.ms, data))

    @property
    def ms(self) -> int:
        return round((self.now - 1000.0) * 1000)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.timers.next_due()) is not None and due <= end:
            self.now = max(due, self.now)
            for owner, kind, when in self.timers.due(self.now):
                self.layer.fire(owner, kind, when, self.now)
        self.now = end

    def receive(self, data: bytes, peer: Peer = UDP) -> bool:
        message = parse_message(data)
        assert request_fault(message) is None
        return self.layer.receive_request(message, top_via(message.value(VIA) or b""), peer, self.now)

    def respond(self, status: int, which: int = -1, data: bytes = b"") -> bytes:
        transaction = self.user.requests[which]
        if not data:
            assert transaction.request is not None
            data = make_response(transaction.request, status, b"t")
        self.layer.respond(transaction, status, data, self.now)
        return data

    def client(self, method: str, peer: Peer = UDP, branch: str = "z9hG4bKa") -> ClientTransaction:
        return self.layer.request(branch.encode(), method.encode(), request(method, branch), peer, self, self.now)

    def answer(self, status: int, method: str, branch: str = "z9hG4bKa", tag: str = "t") -> bool:
        response = parse_message(make_response(parse_message(request(method, branch)), status, tag.encode()))
        _, cseq_method = cseq_of(response.value(CSEQ) or b"")
        return self.layer.receive_response(response, branch.encode(), cseq_method, self.now)

    def at(self, *starts: bytes) -> list[int]:
        """When what begins so was sent."""
        return [ms for ms, data in self.sent if data.startswith(starts)]

    @property
    def open(self) -> int:
        return len(self.layer.servers) + len(self.layer.clients)


# -- retransmission (table 4) -----------------------------------------------------------------------------------------

A = [0, 500, 1500, 3500, 7500, 15500, 31500]
E = [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]


def test_timer_a_doubles_from_t1_and_timer_b_ends_it_after_64_t1():
    bench = Bench()
    transaction = bench.client("INVITE")
    bench.wait(31.999)
    assert bench.at(b"INVITE") == A
    assert bench.user.timeouts == []
    bench.wait(0.001)
    assert bench.user.timeouts == [transaction]
    bench.wait(100)
    assert bench.at(b"INVITE") == A
    assert bench.open == 0
    assert len(bench.timers) == 0


def test_timer_e_doubles_up_to_t2_and_timer_f_ends_it_after_64_t1():
    bench = Bench()
    transaction = bench.client("BYE")
    bench.wait(31.999)
    assert bench.at(b"BYE") == E
    assert bench.user.timeouts == []
    bench.wait(0.001)
    assert bench.user.timeouts == [transaction]
    assert bench.open == 0


def test_timer_g_repeats_a_failure_up_to_every_t2_and_timer_h_ends_it_after_64_t1():
    bench = Bench()
    bench.receive(request("INVITE"))
    bench.wait(2.0)
    bench.respond(486)
    bench.wait(31.999)
    assert bench.at(b"SIP/2.0 486") == [2000 + ms for ms in E]
    assert bench.user.timeouts == []
    bench.wait(0.001)
    assert bench.user.timeouts == bench.user.requests
    assert bench.open == 0


@pytest.mark.parametrize("status", [100, 180])
def test_a_provisional_answer_stops_an_invite_and_slows_another_request_down(status):
    bench = Bench()
    bench.client("INVITE")
    bench.client("OPTIONS", branch="z9hG4bKb")
    bench.wait(0.7)
    assert bench.answer(status, "INVITE")
    assert bench.answer(status, "OPTIONS", "z9hG4bKb")
    bench.wait(20)
    assert bench.at(b"INVITE") == [0, 500]
    assert bench.at(b"OPTIONS") == [0, 500, 1500, 5500, 9500, 13500, 17500]
    bench.wait(20)
    assert len(bench.user.timeouts) == 1  # F runs in Proceeding, B does not
    assert list(bench.layer.clients) == [b"z9hG4bKa"]


def test_an_invite_that_rings_ends_when_told_to():  # §9.1, §16.8
    bench = Bench()
    transaction = bench.client("INVITE")
    bench.layer.end_after(transaction, 5.0, bench.now)  # not ringing yet: timer B is still in force
    bench.wait(6.0)
    assert bench.open == 1
    bench.answer(180, "INVITE")
    bench.layer.end_after(transaction, 32.0, bench.now)
    bench.wait(31.999)
    assert bench.open == 1
    bench.wait(0.001)
    assert bench.user.timeouts == [transaction]
    assert bench.open == 0


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
def test_on_a_stream_nothing_is_sent_twice_but_a_silence_still_ends(method):
    bench = Bench()
    bench.client(method, TCP)
    bench.wait(31.999)
    assert bench.at(method.encode()) == [0]
    assert bench.user.timeouts == []
    bench.wait(0.001)
    assert len(bench.user.timeouts) == 1


def test_on_a_stream_a_failure_is_sent_once_and_still_waits_for_its_ack():
    bench = Bench()
    bench.receive(request("INVITE"), TCP)
    bench.respond(486)
    bench.wait(31.999)
    assert bench.at(b"SIP/2.0 486") == [0]
    assert bench.open == 1
    bench.wait(0.001)
    assert bench.open == 0


# -- the waits that absorb retransmissions: D, I, J, K -----------------------------------------------------------------


def after_final(bench: Bench, kind: str, peer: Peer) -> None:
    if kind == "D":
        bench.client("INVITE", peer)
        bench.answer(486, "INVITE")
    elif kind == "K":
        bench.client("BYE", peer)
        bench.answer(200, "BYE")
    elif kind == "J":
        bench.receive(request("OPTIONS"), peer)
        bench.respond(200)
    else:
        bench.receive(request("INVITE"), peer)
        bench.respond(486)
        bench.receive(request("ACK"), peer)


@pytest.mark.parametrize(("kind", "seconds"), [("D", 32.0), ("I", 5.0), ("J", 32.0), ("K", 5.0)])
def test_the_wait_after_the_end_is_table_4_s_and_zero_on_a_stream(kind, seconds):
    bench = Bench()
    after_final(bench, kind, UDP)
    bench.wait(seconds - 0.001)
    assert bench.open == 1
    bench.wait(0.001)
    assert bench.open == 0
    stream = Bench()
    after_final(stream, kind, TCP)
    stream.wait(0.0)
    assert stream.open == 0
    assert stream.user.timeouts == []


@pytest.mark.parametrize("kind", ["D", "I", "J", "K"])
def test_during_the_wait_a_repetition_disturbs_nobody(kind):
    bench = Bench()
    after_final(bench, kind, UDP)
    told, sent = len(bench.user.responses) + len(bench.user.requests), len(bench.sent)
    if kind == "D":
        assert bench.answer(486, "INVITE")
        assert bench.sent[-1][1].startswith(b"ACK")  # acknowledged again
        sent += 1
    elif kind == "K":
        assert bench.answer(200, "BYE")
    elif kind == "J":
        bench.receive(request("OPTIONS"))
        assert bench.sent[-1][1].startswith(b"SIP/2.0 200")  # answered again
        sent += 1
    else:
        bench.receive(request("ACK"))
        bench.receive(request("INVITE"))
    assert len(bench.user.responses) + len(bench.user.requests) == told
    assert len(bench.sent) == sent


# -- server -----------------------------------------------------------------------------------------------------------


def test_an_invite_that_comes_again_gets_the_last_provisional_again():
    bench = Bench()
    bench.receive(request("INVITE"))
    bench.receive(request("INVITE"))
    assert bench.sent == []  # nothing said yet
    bench.respond(100)
    bench.respond(180)
    bench.receive(request("INVITE"))
    assert [data[8:11] for _, data in bench.sent] == [b"100", b"180", b"180"]
    assert len(bench.user.requests) == 1


def test_a_second_final_answer_is_swallowed():
    bench = Bench()
    bench.receive(request("OPTIONS"))
    first = bench.respond(200)
    bench.respond(486, data=b"SIP/2.0 486 Late\r\n\r\n")
    assert [data for _, data in bench.sent] == [first]
    bench.receive(request("INVITE", "z9hG4bKi"))
    busy = bench.respond(486)
    bench.respond(200, data=b"SIP/2.0 200 Late\r\n\r\n")
    bench.respond(180, data=b"SIP/2.0 180 Late\r\n\r\n")
    assert [data for _, data in bench.sent] == [first, busy]


def test_a_2xx_to_an_invite_is_repeated_by_who_answered_and_its_ack_goes_on():  # RFC 6026
    bench = Bench()
    bench.receive(request("INVITE"))
    ok = bench.respond(200)
    bench.receive(request("INVITE"))  # absorbed, not answered again by us
    bench.wait(10)
    assert [data for _, data in bench.sent] == [ok]
    bench.respond(200, data=ok)  # the callee says it again
    assert [data for _, data in bench.sent] == [ok, ok]
    bench.receive(request("ACK", to_tag="t"))  # same branch: a broken phone; still not ours
    bench.receive(request("ACK", "z9hG4bKown", to_tag="t"))
    assert bench.user.acks == 2
    assert bench.user.timeouts == []
    bench.wait(22)
    assert bench.open == 0


def test_the_ack_to_a_failure_is_ours_and_stops_it():
    bench = Bench()
    bench.receive(request("INVITE"))
    bench.respond(404)
    bench.wait(0.6)
    bench.receive(request("ACK"))
    bench.wait(40)
    assert bench.at(b"SIP/2.0 404") == [0, 500]
    assert bench.user.acks == 0
    assert bench.user.timeouts == []
    assert bench.open == 0


def test_a_100_follows_after_3_5_s_when_the_answer_comes_from_elsewhere_and_none_is_made_up():  # RFC 4320
    bench = Bench()
    bench.receive(request("INFO"))
    bench.layer.expect_late_answer(bench.user.requests[0], bench.now)
    for at in (0.5, 1.0, 1.999):
        bench.wait(at)
        bench.receive(request("INFO"))
    assert bench.sent == []
    bench.wait(0.001)
    assert bench.at(b"SIP/2.0 100") == [3500]
    bench.receive(request("INFO"))
    assert bench.at(b"SIP/2.0 100") == [3500, 3500]
    bench.wait(33.499)
    assert bench.open == 1
    bench.wait(0.001)
    assert bench.open == 0  # 64*T1 + T4 after it came, and no 408 was sent
    assert bench.at(b"SIP/2.0 408") == []


def test_no_late_100_when_the_answer_came_in_time():
    bench = Bench()
    bench.receive(request("INFO"))
    bench.layer.expect_late_answer(bench.user.requests[0], bench.now)
    bench.wait(3.499)
    bench.respond(200)
    bench.wait(31.999)
    assert bench.at(b"SIP/2.0 100") == []
    assert bench.open == 1  # J began with the answer
    bench.wait(0.001)
    assert bench.open == 0


# -- matching (§17.1.3, §17.2.3) -------------------------------------------------------------------------------------


def test_requests_differ_by_branch_by_sender_and_by_method():
    bench = Bench()
    bench.receive(request("INVITE"))
    bench.receive(request("INVITE", "z9hG4bKb"))
    bench.receive(request("INVITE", via="192.0.2.7:5062"))
    bench.receive(request("CANCEL"))
    assert len(bench.user.requests) == 4
    found = bench.layer.find_server(
        parse_message(request("CANCEL")), top_via(b"SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKa"), b"INVITE"
    )
    assert found is bench.user.requests[0]


def test_without_the_magic_cookie_a_request_is_matched_as_rfc_2543_did():
    bench = Bench()
    bench.receive(request("INVITE", "1"))
    bench.receive(request("INVITE", "1"))
    assert len(bench.user.requests) == 1
    bench.receive(request("INVITE", "1", cseq=2))  # the same poor branch for another request
    assert len(bench.user.requests) == 2
    bench.respond(486, 0)
    bench.receive(request("ACK", "1"))
    bench.wait(1)
    assert bench.at(b"SIP/2.0 486") == [0]


def test_a_response_is_matched_by_branch_and_method():
    bench = Bench()
    bench.client("INVITE")
    bench.layer.request(b"z9hG4bKa/CANCEL", b"CANCEL", request("CANCEL"), UDP, bench, bench.now)
    assert not bench.answer(200, "INVITE", "z9hG4bKother")
    assert not bench.answer(200, "BYE")
    assert bench.answer(200, "CANCEL")
    assert bench.answer(487, "INVITE")
    assert bench.user.responses == [200, 487]


def test_the_ack_to_a_failure_has_the_branch_of_the_invite_and_the_tag_of_the_answer():  # §17.1.1.3
    bench = Bench()
    bench.client("INVITE")
    bench.answer(486, "INVITE", tag="busy")
    ack = parse_message(bench.sent[-1][1])
    assert ack.method == b"ACK"
    assert ack.uri == b"sip:b@denwa.example"
    assert b"Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKa" in ack.lines
    assert b"To: <sip:b@denwa.example>;tag=busy" in ack.lines
    assert b"CSeq: 1 ACK" in ack.lines


# -- bounds -----------------------------------------------------------------------------------------------------------


def test_the_table_is_bounded_and_what_is_known_is_still_served():
    bench = Bench(limit=3)
    assert [bench.receive(request("OPTIONS", f"z9hG4bK{i}")) for i in range(5)] == [True, True, True, False, False]
    assert len(bench.user.requests) == 3
    bench.respond(200, 0)
    assert bench.receive(request("OPTIONS", "z9hG4bK0"))  # a repetition, answered from the table
    assert bench.receive(request("ACK", "z9hG4bKx"))  # an ACK makes no transaction
    bench.wait(32)
    assert bench.receive(request("OPTIONS", "z9hG4bK9"))


def test_a_transaction_ended_by_its_user_is_silent():
    bench = Bench()
    transaction = bench.client("INVITE")
    bench.layer.end(transaction)
    bench.wait(40)
    assert bench.at(b"INVITE") == [0]
    assert bench.user.timeouts == []
    assert bench.open == 0


class Anything(RuleBasedStateMachine):
    """Any order of requests, answers, responses and time: nothing raises, nothing is told twice, nothing stays."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(limit=20)
        self.clients: dict[str, str] = {}

    @rule(method=st.sampled_from(["INVITE", "BYE", "ACK", "CANCEL"]), n=st.integers(0, 2))
    def request(self, method: str, n: int) -> None:
        self.bench.receive(request(method, f"z9hG4bK{n}"))

    @rule(status=st.sampled_from([100, 180, 200, 404]), which=st.integers(0, 5))
    def respond(self, status: int, which: int) -> None:
        known = self.bench.user.requests
        if known:
            data = b"SIP/2.0 %d X\r\n\r\n" % status
            self.bench.layer.respond(known[which % len(known)], status, data, self.bench.now)

    @rule(method=st.sampled_from(["INVITE", "BYE"]), peer=st.sampled_from([UDP, TCP]))
    def send(self, method: str, peer: Peer) -> None:
        branch = f"z9hG4bKc{len(self.clients)}"
        self.clients[branch] = method
        self.bench.client(method, peer, branch)

    @rule(status=st.sampled_from([100, 180, 200, 486]), which=st.integers(0, 5))
    def answer(self, status: int, which: int) -> None:
        if self.clients:
            branch, method = sorted(self.clients.items())[which % len(self.clients)]
            self.bench.answer(status, method, branch)

    @rule(seconds=st.sampled_from([0.0, 0.3, 0.5, 4.0, 33.0]))
    def wait(self, seconds: float) -> None:
        self.bench.wait(seconds)

    @invariant()
    def told_once(self) -> None:
        told = self.bench.user.timeouts
        assert len(told) == len({id(t) for t in told})
        assert self.bench.open <= 20 + len(self.clients)

    def teardown(self) -> None:
        """Answer what still rings (a proxy never leaves it so): then time alone empties everything."""
        for transaction in self.bench.user.requests:
            self.bench.layer.respond(transaction, 404, b"SIP/2.0 404 X\r\n\r\n", self.bench.now)
        for transaction in list(self.bench.layer.clients.values()):
            self.bench.layer.end_after(transaction, 32.0, self.bench.now)
        self.bench.wait(100)
        assert self.bench.open == 0
        assert len(self.bench.timers) == 0


TestAnything = Anything.TestCase
TestAnything.settings = settings(max_examples=30, stateful_step_count=25)

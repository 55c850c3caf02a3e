"""The push webhook against a real HTTP server: what is posted, how it is signed, what is tried twice."""

from __future__ import annotations

import asyncio
import json
import time

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voip.push.parameters import PushDevice
from denwa.voip.push.ports import PushAnswer, PushRequest
from denwa.voip.push.webhook import PushWebhook, body_of, signature
from tests.peers.ports import free_port
from tests.peers.push import SECRET, PushServer

PUSH = PushRequest("7-1", PushDevice("fcm", "project", "token"), "call@host", "", 15)


async def answer_of(url: str, push: PushRequest = PUSH, *, secret: str = SECRET, timeout: float = 2) -> PushAnswer:
    webhook = PushWebhook(url, secret, timeout=timeout)
    heard: asyncio.Future[PushAnswer] = asyncio.get_running_loop().create_future()
    flushed: list[bool] = []
    webhook.flush = lambda: flushed.append(heard.done())
    webhook.request(push, lambda answer, now: heard.set_result(answer))
    answer = await asyncio.wait_for(heard, 10)
    await asyncio.sleep(0)
    assert flushed == [True]
    return answer


async def test_a_push_is_posted_as_signed_json() -> None:
    with PushServer() as server:
        assert await answer_of(server.url, PUSH._replace(caller="+815050010001")) == PushAnswer(True, "HTTP 202")
        (event,) = server.log.all(lambda e: True)
    assert event["event"] == "push"
    assert event["path"] == "/wake?from=denwa"
    assert event["body"] == {
        "id": "7-1", "kind": "call", "provider": "fcm", "param": "project", "prid": "token", "call_id": "call@host",
        "ttl": 15, "caller": "+815050010001",
    }  # fmt: skip


async def test_without_leave_the_caller_is_not_told() -> None:
    assert "caller" not in json.loads(body_of(PUSH))


async def test_another_secret_is_found_out_and_not_tried_twice() -> None:
    with PushServer() as server:
        assert await answer_of(server.url, secret="another secret, as long") == PushAnswer(False, "HTTP 403")
        assert [event["event"] for event in server.log.all(lambda e: True)] == ["forged"]


@pytest.mark.parametrize(("status", "tries"), [(500, 2), (503, 2), (429, 2), (410, 1), (404, 1), (302, 1)])
async def test_what_may_pass_is_tried_once_more_with_the_same_name(status: int, tries: int) -> None:
    with PushServer() as server:
        server.status = status
        assert await answer_of(server.url) == PushAnswer(False, f"HTTP {status}")
        assert [event["body"]["id"] for event in server.log.all(lambda e: True)] == ["7-1"] * tries


async def test_a_server_that_says_nothing_costs_two_time_outs() -> None:
    with PushServer() as server:
        server.status = 0
        begun = time.monotonic()
        assert await answer_of(server.url, timeout=0.3) == PushAnswer(False, "no answer in time")
        assert 0.6 <= time.monotonic() - begun < 3
        assert len(server.log.all(lambda e: True)) == 2


async def test_nobody_there_is_said_so() -> None:
    answer = await answer_of(f"http://127.0.0.1:{free_port()}/")
    assert not answer.taken
    assert "refused" in answer.reason.lower() or "connect" in answer.reason.lower()


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1", b"\x00\xff\r\n\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\n" + b"x" * 70_000]
)
async def test_what_is_no_http_is_no_answer(said: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert not (await answer_of(f"http://127.0.0.1:{port}/")).taken


async def test_an_answer_in_pieces_after_a_100_is_read() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in (b"HTTP/1.1 100 Continue\r\n\r\nHTT", b"P/1.1 200 O", b"K\r\nContent-Length: 0\r\n\r\n"):
            writer.write(piece)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert (await answer_of(f"http://127.0.0.1:{port}")).taken


@given(st.text(max_size=40), st.text(max_size=40), st.integers(0, 2**40))
def test_every_byte_is_signed(prid: str, other: str, seconds: int) -> None:
    body = body_of(PUSH._replace(device=PushDevice("fcm", "", prid)))
    changed = body_of(PUSH._replace(device=PushDevice("fcm", "", other)))
    same = signature(body, b"key", seconds) == signature(changed, b"key", seconds)
    assert same == (prid == other)
    assert signature(body, b"key", seconds) != signature(body, b"key", seconds + 1)
    assert json.loads(body)["prid"] == prid


def test_the_url_may_name_an_ipv6_address_and_no_path() -> None:
    webhook = PushWebhook("http://[::1]:8080", SECRET, timeout=1)
    written = webhook._written(h11.Connection(h11.CLIENT), b"{}")
    assert written.startswith(b"POST / HTTP/1.1\r\n")
    assert b"Host: [::1]:8080\r\n" in written

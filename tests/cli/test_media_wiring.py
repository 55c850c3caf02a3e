"""The relay at the start of the service: there by itself, and never half there (R4, N7)."""

from __future__ import annotations

import logging
import socket
import sys
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest

from denwa.cli.media_wiring import attach_relay
from denwa.config.settings import ConfigurationError, Media, Settings, Sip
from tests.peers import ports
from tests.voip.wire import Wire


def attach(**media: Any) -> Any:
    """What the engine has after a start with these settings of the relay."""
    wire = Wire()
    closing = AsyncExitStack()
    sip = Sip(bind=media.pop("sip_bind", "127.0.0.1"))
    attach_relay(Settings(sip=sip, media=Media(**media)), wire.engine, closing)
    closing.pop_all()  # its threads end with the object
    return wire.engine.ctx.relaying


def block() -> dict[str, int]:
    first = ports.service_media_ports()
    return {"port_min": first, "port_max": first + ports.SERVICE_MEDIA_BLOCK - 1}


@pytest.fixture
def without_rtp_io(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rtp.io", None)  # as where there is no wheel of it


def test_a_service_of_which_nobody_said_anything_has_a_relay() -> None:
    relaying = attach(**block())
    assert relaying is not None
    assert relaying.sessions == 0


@pytest.mark.parametrize("media", [{"relay": "none"}, {"when": "never"}])
def test_who_wants_none_has_none_and_is_told_what_goes_without(
    media: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert attach(**media) is None
    assert "184 does not hide addresses" in caplog.text


@pytest.mark.usefixtures("without_rtp_io")
def test_without_its_wheel_the_service_starts_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert attach() is None
    assert "rtp.io cannot be loaded" in caplog.text


def test_with_ipv6_alone_the_service_starts_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert attach(sip_bind="::1") is None
    assert "set media.bind" in caplog.text


@pytest.mark.usefixtures("without_rtp_io")
def test_who_named_a_relay_gets_it_or_no_service() -> None:
    with pytest.raises(ConfigurationError, match=r"^media\.relay: rtp\.io cannot be loaded"):
        attach(relay="rtp.io")


def test_ports_that_are_all_in_use_are_said_at_the_start() -> None:
    first = ports.service_media_ports()
    with ExitStack() as stack:
        for port in range(first, first + 12):
            taken = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            taken.bind(("127.0.0.1", port))
        with pytest.raises(ConfigurationError, match=rf"^media\.relay: rtp\.io gets no ports from {first} to"):
            attach(port_min=first, port_max=first + 11)


def test_an_address_of_another_machine_is_said_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"^media\.relay: rtp\.io does not start on 192\.0\.2\.1"):
        attach(bind="192.0.2.1")

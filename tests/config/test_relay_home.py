"""Where the embedded relay listens when nobody says so (R4)."""

from __future__ import annotations

import pytest

from denwa.config.relay_home import relay_home
from denwa.config.settings import Listener, Media, Settings, Sip
from denwa.config.settings_checks import check_settings


def settings(*binds: str, host: str = "", **media: object) -> Settings:
    first, *more = binds
    listen = [Listener(bind=bind, host=f"{bind}.example") for bind in more]
    return Settings(sip=Sip(bind=first, host=host, listen=listen), media=Media(**media))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("binds", "media", "home"),
    [
        (["127.0.0.1"], {}, ("127.0.0.1", "")),
        (["localhost"], {}, ("localhost", "")),
        (["0.0.0.0"], {}, ("0.0.0.0", "")),
        (["::"], {}, ("0.0.0.0", "")),
        (["::1"], {}, ("", "")),
        (["2001:db8::1", "192.0.2.1"], {}, ("192.0.2.1", "")),
        (["192.0.2.1", "198.51.100.1"], {}, ("0.0.0.0", "")),
        (["127.0.0.1", "127.0.0.2"], {}, ("127.0.0.1", "127.0.0.1")),  # the demo stays on loopback
        (["127.0.0.1", "192.0.2.1"], {}, ("0.0.0.0", "")),
        (["::1"], {"bind": "192.0.2.7", "address": "203.0.113.1"}, ("192.0.2.7", "203.0.113.1")),
        (["127.0.0.1", "127.0.0.2"], {"address": "127.0.0.9"}, ("127.0.0.1", "127.0.0.9")),
    ],
)
def test_it_listens_where_sip_does(binds: list[str], media: dict[str, object], home: tuple[str, str]) -> None:
    assert relay_home(settings(*binds, **media)) == home


def test_sip_on_ipv6_alone_has_no_relay_and_is_a_fault_only_for_who_named_it() -> None:
    def faults(one: Settings) -> list[str]:
        return [".".join(map(str, where)) for where, _ in check_settings(one)]

    assert Media().relay == "rtp.io"
    assert faults(settings("::1")) == []
    assert faults(settings("::1", relay="rtp.io")) == ["media.bind"]
    assert faults(settings("::1", relay="rtpengine")) == []
    assert faults(settings("127.0.0.1", bind="::1")) == ["media.bind"]

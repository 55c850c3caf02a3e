"""Settings of the push service (R5): what of them makes no sense, and what the engine is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from denwa.cli.push_wiring import push_rules
from denwa.cli.wiring import engine_settings
from denwa.config.settings import ConfigurationError, Settings
from denwa.config.settings_sources import load_settings
from denwa.voip.push.parameters import NO_PUSH

GOOD = {"url": "https://push.example/wake", "secret": "sixteen letters!"}


def settings_of(folder: Path, **push: object) -> Settings:
    file = folder / "denwa.toml"
    lines = [f"{name} = {value!r}".replace("'", '"') for name, value in (GOOD | push).items()]
    file.write_text("[push]\n" + "\n".join(lines))
    return load_settings(file, environ={})


def test_without_a_url_nobody_is_woken() -> None:
    assert push_rules(Settings()) == NO_PUSH


def test_the_engine_is_given_the_rules(tmp_path: Path) -> None:
    rules = engine_settings(settings_of(tmp_path, providers=["FCM"], wait=7, lapse_days=2)).push
    assert (rules.providers, rules.wait, rules.lapse, rules.longest) == ((b"fcm",), 7, 172_800, 172_800)


@pytest.mark.parametrize(
    ("push", "named"),
    [
        ({"secret": "short"}, "at least 16"),
        ({"url": "ftp://push.example/"}, "https://host/path"),
        ({"url": "https://"}, "https://host/path"),
        ({"url": "https://push.example:70000/"}, "https://host/path"),
        ({"url": "https://push.example/a b"}, "https://host/path"),
        ({"url": "http://push.example/"}, "this machine only"),
        ({"providers": ["a b"]}, "no name of a push service"),
    ],
)
def test_what_makes_no_sense_is_named(tmp_path: Path, push: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named) as fault:
        settings_of(tmp_path, **push)
    assert "denwa.toml" in str(fault.value)
    assert "sixteen" not in str(fault.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/x", "http://[::1]/", "http://localhost:1/"])
def test_http_is_for_this_machine(tmp_path: Path, url: str) -> None:
    assert settings_of(tmp_path, url=url).push.url == url


def test_the_secret_is_shown_to_nobody(tmp_path: Path) -> None:
    assert "sixteen" not in repr(settings_of(tmp_path))

"""docker-compose.yml, Dockerfile and deploy/ say what the code can do. Checked without a container engine."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from denwa.config.settings import Settings
from denwa.config.settings_sources import load_settings
from tests.deploy.compose_file import ComposeFault, parse_compose

ROOT = Path(__file__).parents[2]
SHORT_NAMES = {
    "DENWA_SIP_BIND",
    "DENWA_SIP_PORT",
    "DENWA_HTTP_BIND",
    "DENWA_HTTP_PORT",
    "DENWA_DATA_DIR",
    "DENWA_CONFIG",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return parse_compose((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """Instructions in order, line continuations joined."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def _values(dockerfile: list[tuple[str, str]], instruction: str) -> list[str]:
    return [value for name, value in dockerfile if name == instruction]


def _copied(dockerfile: list[tuple[str, str]]) -> list[str]:
    """Sources of every COPY out of the build context."""
    copies = [value.split() for value in _values(dockerfile, "COPY") if not value.startswith("--from=")]
    return [source for words in copies for source in words[:-1]]


def _is_setting(name: str) -> bool:
    if name in SHORT_NAMES:
        return True
    section, _, key = name.removeprefix("DENWA_").lower().partition("__")
    field = Settings.model_fields.get(section)
    keys = getattr(field.annotation, "model_fields", {}) if field is not None else {}
    return key in {n for n, f in keys.items()} | {f.alias for f in keys.values() if f.alias}


def _env_file(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_plain_up_starts_denwa_alone(compose: dict[str, Any]) -> None:
    assert [name for name, service in compose["services"].items() if "profiles" not in service] == ["denwa"]


def test_profile_full_adds_the_four_servers_from_ready_images(compose: dict[str, Any]) -> None:
    full = {name: service for name, service in compose["services"].items() if service.get("profiles") == ["full"]}
    assert set(full) == {"postgres", "valkey", "rtpengine", "mail"}
    assert all("build" not in service and ":" in service["image"] for service in full.values())


def test_every_denwa_variable_is_a_real_setting(compose: dict[str, Any], dockerfile: list[tuple[str, str]]) -> None:
    names = [name for service in compose["services"].values() for name in service.get("environment", {})]
    names += [value.split("=")[0] for value in _values(dockerfile, "ENV")]
    names += list(_env_file(ROOT / "deploy/full.env"))
    denwa = {name for name in names if name.startswith("DENWA_")}
    assert denwa
    assert {name for name in denwa if not _is_setting(name)} == set()


def test_every_variable_of_full_env_reaches_a_container(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    passed = (
        set(compose["services"]["denwa"]["environment"]) | set(re.findall(r"\$\{(\w+)", text)) | {"COMPOSE_PROFILES"}
    )
    assert set(_env_file(ROOT / "deploy/full.env")) <= passed


def test_full_env_makes_settings_that_load(monkeypatch: pytest.MonkeyPatch) -> None:
    values = _env_file(ROOT / "deploy/full.env") | {"POSTGRES_PASSWORD": "db1", "MAIL_PASSWORD": "mail1"}
    for name in [name for name in os.environ if name.startswith("DENWA_")]:
        monkeypatch.delenv(name)
    for name, value in values.items():
        monkeypatch.setenv(name, re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], value))
    settings = load_settings(ROOT / "deploy/denwa.toml")
    assert settings.database.url == "postgresql://denwa:db1@127.0.0.1:5432/denwa"
    assert settings.mail.smtp_url == "smtp://denwa:mail1@localhost:587"
    assert settings.mail.ca_file == Path("/etc/denwa/tls/ca.pem")


def test_no_password_is_shipped() -> None:
    assert {k: v for k, v in _env_file(ROOT / "deploy/full.env").items() if k.endswith("PASSWORD")} == {
        "POSTGRES_PASSWORD": "",
        "MAIL_PASSWORD": "",
    }


def test_servers_beside_denwa_are_reachable_from_this_machine_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_named_volume_is_declared_and_every_mounted_file_is_there(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith("./") else source in compose["volumes"], volume


def test_sample_configuration_loads_as_shipped_and_with_every_key_switched_on(tmp_path: Path) -> None:
    sample = (ROOT / "deploy/denwa.toml").read_text(encoding="utf-8")
    assert load_settings(ROOT / "deploy/denwa.toml", environ={}).sip.domains == ["denwa.example"]
    everything = tmp_path / "everything.toml"
    everything.write_text(re.sub(r"(?m)^# (?=\[|\w+ = )", "", sample), encoding="utf-8")
    assert set(tomllib.loads(everything.read_text(encoding="utf-8"))) >= {
        "sip",
        "limits",
        "gateways",
        "voicemail",
        "mail",
    }
    assert load_settings(everything, environ={}).gateways[0].name == "pstn"


def test_image_has_two_stages_on_debian_12_and_runs_as_its_own_user(dockerfile: list[tuple[str, str]]) -> None:
    assert _values(dockerfile, "FROM") == ["debian:12-slim AS build", "debian:12-slim"]
    user = _values(dockerfile, "USER")
    assert user == ["denwa"]
    assert f"--shell /usr/sbin/nologin {user[0]}" in " ".join(_values(dockerfile, "RUN"))


def test_image_installs_only_what_the_lock_file_names(dockerfile: list[tuple[str, str]]) -> None:
    installs = [part for run in _values(dockerfile, "RUN") for part in run.split("&&") if "pip install" in part]
    assert len(installs) == 3
    assert all("--require-hashes" in install or "--no-deps --no-build-isolation ." in install for install in installs)
    for name in re.findall(r"-r (\S+)", " ".join(installs)):
        assert "--hash=sha256:" in (ROOT / name).read_text(encoding="utf-8")


def test_data_lives_in_a_volume(dockerfile: list[tuple[str, str]], compose: dict[str, Any]) -> None:
    data = dict(value.split("=", 1) for value in _values(dockerfile, "ENV"))["DENWA_DATA_DIR"]
    assert [json.loads(value) for value in _values(dockerfile, "VOLUME")] == [[data]]
    assert f"denwa:{data}" in compose["services"]["denwa"]["volumes"]


def test_every_copied_path_exists_and_is_let_through_by_dockerignore(dockerfile: list[tuple[str, str]]) -> None:
    allowed = [
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    ]
    for source in _copied(dockerfile):
        assert (ROOT / source).exists(), source
        assert any(source == path or source.startswith(path + "/") for path in allowed), source


def test_entry_point_and_command_exist(dockerfile: list[tuple[str, str]], compose: dict[str, Any]) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    [entry] = _values(dockerfile, "ENTRYPOINT")
    assert Path(json.loads(entry)[0]).name in scripts
    [command] = _values(dockerfile, "CMD")
    assert json.loads(command) == compose["services"]["denwa"]["command"] == ["serve"]


def test_copied_files_are_enough_to_build_the_package_with_its_data(
    dockerfile: list[tuple[str, str]], tmp_path: Path
) -> None:
    context = tmp_path / "context"
    for source in _copied(dockerfile):
        target = context / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*build, "-w", str(tmp_path), str(context)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("denwa-*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    data = {
        str(path.relative_to(ROOT)) for path in (ROOT / "denwa").rglob("*") if path.is_file() and path.suffix != ".pyc"
    }
    assert {path for path in data if path.startswith("denwa/config/data/")}
    assert data - packed == set()


def test_mail_certificate_is_made_once_and_verifies_for_localhost(tmp_path: Path) -> None:
    script = shutil.copy(ROOT / "deploy/mail-certificate.sh", tmp_path)
    first = subprocess.run(["sh", script], capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    tls = tmp_path / "tls"
    check = [
        "openssl",
        "verify",
        "-CAfile",
        str(tls / "ca.pem"),
        "-verify_hostname",
        "localhost",
        str(tls / "mail.pem"),
    ]
    assert subprocess.run(check, capture_output=True).returncode == 0
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(
        tls / "mail.pem", tls / "mail-key.pem"
    )  # raises when key and certificate do not belong together
    again = subprocess.run(["sh", script], capture_output=True, text=True)
    assert again.returncode == 1
    assert "already" in again.stderr


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_health_check_says_what_healthz_says(status: int, code: int) -> None:
    class Healthz(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Healthz) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert _health_check(server.server_port) == code
        server.shutdown()


def test_health_check_fails_when_nobody_listens() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        port = server.server_port
    assert _health_check(port) == 1


def _health_check(port: int) -> int:
    environment = {"DENWA_HTTP_BIND": "0.0.0.0", "DENWA_HTTP_PORT": str(port)}
    return subprocess.run([sys.executable, ROOT / "deploy/healthy.py"], env=environment, capture_output=True).returncode


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2",
        "a:\n   b: 1",
        "a: {b: 1}",
        "a: [1]",
        "- a\n- b",
        "a:\n  - x\n  b: 1",
        "a: &x 1",
        "a: b: c",
        "a:\n\tb: 1",
    ],
)
def test_compose_reader_refuses_what_it_does_not_know(text: str) -> None:
    with pytest.raises(ComposeFault):
        parse_compose(text)

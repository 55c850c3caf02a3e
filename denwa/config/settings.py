"""Typed settings of the service: defaults, the demo's or the operator's TOML file, the environment.

Later sources win: built-in default < demo file (``--demo``) < ``DENWA_CONFIG`` / ``--config`` < environment
(``DENWA_SECTION__KEY``, and the short names ``DENWA_SIP_BIND``, ``DENWA_SIP_PORT``, ``DENWA_HTTP_BIND``,
``DENWA_HTTP_PORT``, ``DENWA_DATA_DIR``).
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

DATA = Path(__file__).parent / "data"
DEMO_FILE = DATA / "demo.toml"

_SHORT_NAMES = {
    "DENWA_SIP_BIND": ("sip", "bind"),
    "DENWA_SIP_PORT": ("sip", "port"),
    "DENWA_HTTP_BIND": ("http", "bind"),
    "DENWA_HTTP_PORT": ("http", "port"),
}


class ConfigurationError(Exception):
    """The configuration cannot be used; the text names the file or variable and the key."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Sip(Section):
    """SIP listener, registrar and call timing; times in seconds."""

    bind: str = "127.0.0.1"
    port: int = Field(5060, ge=1, le=65535)
    domains: list[str] = ["denwa.example"]
    realm: str = ""  # empty: the first domain
    digest_algorithms: list[Literal["SHA-256", "MD5"]] = ["SHA-256", "MD5"]
    sha256_agents: list[str] = ["PJSUA", "Linphone", "Denwa"]  # User-Agent prefixes (decision 0002)
    md5_only_agents: list[str] = ["baresip"]
    nonce_lifetime: int = Field(300, ge=1)
    session_expires: int = Field(1800, ge=90)
    ring_time: int = Field(20, ge=5, le=60)
    min_expires: int = Field(60, ge=1)
    default_expires: int = 3600
    max_expires: int = 7200
    max_bindings: int = Field(10, ge=1)
    probe_interval: int = Field(60, ge=5)  # in-dialog OPTIONS to both sides of a call: proof of life (C5)
    trace_messages: int = Field(20_000, ge=0)  # kept in memory


class Limits(Section):
    """Bounds on what a subscriber or a stranger can make grow."""

    calls_per_subscriber: int = Field(4, ge=1)
    new_calls_per_minute: int = Field(60, ge=1)
    transactions: int = Field(400_000, ge=100)
    calls: int = Field(100_000, ge=10)
    tcp_connections: int = Field(10_000, ge=1)


class Gateway(Section):
    """A SIP trunk. Requests from ``addresses`` (``host`` or ``host:port``) are incoming calls."""

    name: str
    host: str
    port: int = Field(5060, ge=1, le=65535)
    transport: Literal["udp", "tcp"] = "udp"
    addresses: list[str] = []
    incoming: bool = True
    outgoing: bool = True


class Voicemail(Section):
    """Media workers and mailbox rules (V1-V7)."""

    workers: int = Field(1, ge=1)  # processes kept ready, 4 calls each
    max_workers: int = Field(25, ge=1)
    max_seconds: int = Field(60, ge=1)
    max_messages: int = Field(10, ge=1)
    keep_days: int = Field(7, ge=1)
    bind: str = "127.0.0.1"
    rtp_port_min: int = 20000
    rtp_port_max: int = 29999
    greeting: Path | None = None  # None: the shipped prompt


class Mail(Section):
    """``smtp_url``: ``smtp://user:password@host:587`` (STARTTLS) or ``smtps://``; empty with a Maildir: demo."""

    smtp_url: str = ""
    maildir: Path | None = None
    sender: str = Field("mail-noreply@denwa.example", alias="from")
    ca_file: Path | None = None
    service_name: str = "Denwa"


class Media(Section):
    relay: Literal["none", "rtp.io", "rtpengine"] = "none"


class Database(Section):
    """``url`` empty: SQLite in the data folder; else ``postgresql://user@host/name``."""

    url: str = ""


class Http(Section):
    bind: str = "127.0.0.1"
    port: int = Field(8050, ge=1, le=65535)


class Numbering(Section):
    """Dated data files: number plan of Japan, countries, the operator's own and partner ranges."""

    directory: Path = DATA / "numbering"
    operator_file: Path = DATA / "numbering" / "operator-demo.toml"
    quarantine_days: int = Field(0, ge=0)  # an ended contract's number rests as long (N1); 0: for ever


class Rating(Section):
    tariff: str = "default"
    tariff_directory: Path = DATA / "tariffs"


class Billing(Section):
    """Billing life of a contract (L2): days are calendar days in Asia/Tokyo."""

    due_months: int = Field(1, ge=0, le=12)  # due on the last day of this many calendar months after the billing month
    unconfirmed_days: int = Field(0, ge=0)  # after the due day without a result a bill counts as unpaid; 0: never
    notice_days: int = Field(20, ge=1)  # from the notice to the suspension (約款 第17条 2)
    dormant_notice_days: list[int] = [90, 30, 10]  # notices before 12 months without a bill are complete
    run_hour: int = Field(9, ge=0, le=23)  # the service takes the day's step at this hour in Asia/Tokyo


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="DENWA_", env_nested_delimiter="__", extra="ignore", frozen=True)
    files: ClassVar[tuple[Path, ...]] = ()

    data_dir: Path = Path("data")
    demo: bool = False
    sip: Sip = Sip()
    limits: Limits = Limits()
    gateways: list[Gateway] = []
    voicemail: Voicemail = Voicemail()
    mail: Mail = Mail()
    media: Media = Media()
    database: Database = Database()
    http: Http = Http()
    numbering: Numbering = Numbering()
    rating: Rating = Rating()
    billing: Billing = Billing()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (EnvSettingsSource(settings_cls), init_settings)

    @property
    def realm(self) -> str:
        return self.sip.realm or self.sip.domains[0]


def load_settings(config: Path | None = None, *, demo: bool = False, environ: dict[str, str] | None = None) -> Settings:
    """Read all sources. Raises ConfigurationError with a text for a person."""
    env = dict(os.environ if environ is None else environ)
    config = config or (Path(env["DENWA_CONFIG"]) if env.get("DENWA_CONFIG") else None)
    values: dict[str, Any] = {}
    for path in [DEMO_FILE] * demo + [config] * bool(config):
        _merge(values, _read(Path(str(path))))
    for name, (section, key) in _SHORT_NAMES.items():
        if env.get(name):
            values.setdefault(section, {})[key] = env[name]
    where = str(config) if config else "settings"
    faults = [
        f"{where}: {name}: there is no such section or setting" for name in values if name not in Settings.model_fields
    ]
    if demo:
        values["demo"] = True
    try:
        settings = Settings(**values)
    except ValidationError as fault:
        raise ConfigurationError("\n".join(faults + _explain(fault, where))) from None
    if faults:
        raise ConfigurationError("\n".join(faults))
    if settings.media.relay != "none":
        raise ConfigurationError(f"media.relay = {settings.media.relay!r}: only 'none' is supported in this release")
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise ConfigurationError(f"{path}: {fault.strerror}") from None
    except tomllib.TOMLDecodeError as fault:
        raise ConfigurationError(f"{path}: {fault}") from None


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _explain(fault: ValidationError, where: str) -> list[str]:
    return [f"{where}: {'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in fault.errors()]

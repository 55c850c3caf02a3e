"""Typed settings of the service with their defaults and ranges. Where they come from: ``settings_sources``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from denwa.config.box_numbers import checked_access_number, checked_box_number
from denwa.config.gateway import Gateway as Gateway
from denwa.config.push import Push
from denwa.config.registration_number import checked_registration_number
from denwa.config.sounds import Sounds

DATA = Path(__file__).parent / "data"
DEMO_FILE = DATA / "demo.toml"


class ConfigurationError(Exception):
    """The configuration cannot be used; the text names the file or variable and the key."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Listener(Section):
    """One more address to listen on (UDP, TCP, and TLS with a ``tls_port``)."""

    bind: str
    port: int = Field(5060, ge=1, le=65535)
    tls_port: int = Field(0, ge=0, le=65535)  # 0: no TLS
    host: str = ""  # the address by which phones reach it; empty: `bind`


class Sip(Section):
    """SIP listeners, registrar and call timing; times in seconds."""

    bind: str = "127.0.0.1"
    port: int = Field(5060, ge=1, le=65535)
    tls_port: int = Field(0, ge=0, le=65535)  # 0: no TLS
    host: str = ""  # the address by which phones reach `bind`; empty: the same
    listen: list[Listener] = []
    tls_certificate: Path | None = None  # PEM, the chain below it
    tls_key: Path | None = None
    tls_ca_file: Path | None = None  # authorities of gateways reached over TLS; None: the system's
    domains: list[str] = Field(["denwa.example"], min_length=1)
    realm: str = ""  # empty: the first domain
    digest_algorithms: list[Literal["SHA-256", "MD5"]] = Field(["SHA-256", "MD5"], min_length=1)
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
    nat_keepalive: int = Field(30, ge=0)  # between OPTIONS to phones behind NATs over UDP (R4); 0: none
    trace_messages: int = Field(20_000, ge=0)  # kept in memory

    @property
    def listeners(self) -> list[Listener]:
        """All addresses to listen on, `bind` first."""
        return [Listener(bind=self.bind, port=self.port, tls_port=self.tls_port, host=self.host), *self.listen]


class Limits(Section):
    """Bounds on what a subscriber or a stranger can make grow."""

    calls_per_subscriber: int = Field(4, ge=1)
    new_calls_per_minute: int = Field(60, ge=1)
    call_seconds: int = Field(86_400, ge=0)  # longest call; 0: as long as it likes
    end_calls_of_suspended: bool = True  # False: calls that are up when a subscriber is suspended go on
    day_yen: int = Field(20_000, ge=0)  # per subscriber, without tax and before credit; 0: no limit
    month_yen: int = Field(100_000, ge=0)
    international_day_yen: int = Field(3_000, ge=0)
    international_per_hour: int = Field(30, ge=0)  # calls; more look like a stolen password; 0: not watched
    countries_per_day: int = Field(6, ge=0)
    tries_while_off: int = Field(20, ge=0)  # international calls in an hour by who has them switched off: an alarm
    countries_allowed: list[str] = []  # codes as in the country data; empty: all of the tariff
    countries_denied: list[str] = []
    short_calls: int = Field(30, ge=0)  # in a row, unanswered or as short: throttled (約款 別記3 3 (9)); 0: never
    short_call_seconds: int = Field(3, ge=0)
    throttle_minutes: int = Field(30, ge=1)
    throttled_calls_per_minute: int = Field(2, ge=0)
    password_failures: int = Field(10, ge=1)  # of one source or for one account, then one more each `…_interval`
    password_interval: int = Field(5, ge=1)  # seconds
    scanner_failures: int = Field(30, ge=1)  # names of a source that never proves itself; then it is answered nothing
    scanner_silence: int = Field(600, ge=1)  # seconds
    transactions: int = Field(400_000, ge=100)
    calls: int = Field(100_000, ge=10)
    subscriptions: int = Field(200_000, ge=1)  # of phones to their mailboxes
    tcp_connections: int = Field(10_000, ge=1)


class Alarms(Section):
    """What the operator is told by mail, in the log and as a metric."""

    mail_to: list[str] = []
    repeat_minutes: int = Field(60, ge=1)  # the same about the same subscriber is told once in this time
    mails_per_hour: int = Field(60, ge=1)  # at most; the log has all


class Dns(Section):
    """Asked for the names of gateways. ``servers``: ``address`` or ``address:port``; empty: the system's."""

    servers: list[str] = []
    timeout: float = Field(5.0, ge=0.1, le=60)  # seconds for one question


class Voicemail(Section):
    """Media workers and mailbox rules (V1-V7)."""

    workers: int = Field(1, ge=1)  # processes kept ready, 4 calls each
    max_workers: int = Field(28, ge=1)
    drain_seconds: float = Field(75, ge=0)  # a message being left at SIGTERM: guidance, tone and 60 s fit
    max_seconds: int = Field(60, ge=1)
    silence_seconds: float = Field(8, ge=0)  # so long nobody speaks: the end of a message; 0: never
    wideband: bool = False  # messages that came over G.722 keep their 16 kHz
    max_messages: int = Field(10, ge=1)
    warn_left: int = Field(2, ge=0)  # the owner is told by mail when only so many more fit; 0: never
    warn_hours: int = Field(24, ge=0)  # … and so long before messages are deleted; 0: never
    keep_days: int = Field(7, ge=1)
    bind: str = "127.0.0.1"
    rtp_port_min: int = 20000
    rtp_port_max: int = 29999
    greeting: Path | None = None  # None: the shipped prompt
    box_number: str = "1417"  # dialled to hear the own box (V6); "": none
    access_number: str = ""  # an own 050 number, to hear a box from another telephone; "": none
    mwi_unsolicited: bool = True  # phones that have not subscribed are told of messages, too (V6)
    mwi_per_second: int = Field(200, ge=1)  # subscribers told of in a second at most

    @field_validator("box_number")
    @classmethod
    def _short(cls, value: str) -> str:
        return checked_box_number(value)

    @field_validator("access_number")
    @classmethod
    def _number(cls, value: str) -> str:
        return checked_access_number(value)


class Guidance(Section):
    """What refused callers hear, as early media; never answered, never charged (N5, K2)."""

    enabled: bool = True
    places: int = Field(8, ge=1)  # callers who hear one at the same time; also half of all places at most
    gateways: bool = False  # callers from the telephone network, too
    prompts: Path = DATA / "prompts"  # folder of `NAME.wav`, 16-bit mono


class Mail(Section):
    """``smtp_url``: ``smtp://user:password@host:587`` (STARTTLS) or ``smtps://``; empty with a Maildir: demo."""

    smtp_url: str = ""
    maildir: Path | None = None
    sender: str = Field("mail-noreply@denwa.example", alias="from")
    ca_file: Path | None = None
    service_name: str = "Denwa"
    templates: Path | None = None  # folder with `ja/NAME.txt`, `en/NAME.txt` instead of the shipped ones
    connections: int = Field(4, ge=1, le=50)  # mails sent at the same time


class Media(Section):
    """The media relay: which one, for which calls, and its ports (R4)."""

    relay: Literal["none", "rtp.io", "rtpengine"] = "rtp.io"
    when: Literal["auto", "always", "never"] = "auto"  # auto: a NAT, a hidden caller, a gateway that wants it
    bind: str = ""  # of rtp.io: an IPv4 address of this machine; empty: that of SIP
    address: str = ""  # by which both sides reach rtp.io; empty: the one by which they reach SIP
    port_min: int = Field(30000, ge=1024, le=65534)  # UDP, of rtp.io; two for each side of a stream
    port_max: int = Field(39999, ge=1025, le=65535)
    rtpengine: str = "127.0.0.1:2223"  # its ng socket
    silence: int = Field(30, ge=0)  # seconds without packets of a side until it is asked whether it is there; 0: never

    @property
    def relay_named(self) -> bool:
        """Whether the operator named the relay: then the service does not start without it."""
        return "relay" in self.model_fields_set


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
    profile: str = ""  # operator profile of new subscribers (L4); empty: the service's own terms
    profile_directory: Path = DATA / "profiles"
    run_hour: int = Field(9, ge=0, le=23)  # the service takes the day's step at this hour in Asia/Tokyo
    issuer_name: str = ""  # on the bill (K3)
    issuer_registration_number: str = ""  # T and 13 digits; without one the bill is no qualified invoice
    issuer_address: str = ""
    issuer_contact: str = ""  # where to ask about the bill

    @field_validator("issuer_registration_number")
    @classmethod
    def _registered(cls, value: str) -> str:
        return checked_registration_number(value) if value else ""


class Settings(Section):
    data_dir: Path = Path("data")
    demo: bool = False
    sip: Sip = Sip()
    limits: Limits = Limits()
    alarms: Alarms = Alarms()
    gateways: list[Gateway] = []
    dns: Dns = Dns()
    voicemail: Voicemail = Voicemail()
    sounds: Sounds = Sounds()
    guidance: Guidance = Guidance()
    push: Push = Push()
    mail: Mail = Mail()
    media: Media = Media()
    database: Database = Database()
    http: Http = Http()
    numbering: Numbering = Numbering()
    rating: Rating = Rating()
    billing: Billing = Billing()

    @property
    def realm(self) -> str:
        return self.sip.realm or self.sip.domains[0]

"""The subscriber: one contract, one 050 number, its settings and its secrets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from denwa.contracts.faults import ContractFault, Reason
from denwa.numbering import PhoneNumber

RING_TIME_MIN, RING_TIME_MAX = 5, 60  # seconds (V1)
BILL_DAY_MIN, BILL_DAY_MAX = 1, 28  # T5
MAX_BLOCKED = 50  # B1


class State(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"  # L2: no outgoing calls
    TERMINATED = "terminated"  # L2: never comes back


class Act(StrEnum):
    SUSPEND = "suspend"
    RESUME = "resume"
    TERMINATE = "terminate"


# L2. What is not in the table is refused.
LIFECYCLE: dict[tuple[State, Act], State] = {
    (State.ACTIVE, Act.SUSPEND): State.SUSPENDED,
    (State.SUSPENDED, Act.RESUME): State.ACTIVE,
    (State.ACTIVE, Act.TERMINATE): State.TERMINATED,
    (State.SUSPENDED, Act.TERMINATE): State.TERMINATED,
}


class MailNotice(StrEnum):
    """M1."""

    NONE = "none"
    NOTICE = "notice"
    ATTACH = "attach"


class Language(StrEnum):
    """Of the mails: Japanese with English below it, or English."""

    JAPANESE = "ja"
    ENGLISH = "en"


class ForwardMode(StrEnum):
    """F1."""

    OFF = "off"
    ALWAYS = "always"
    NO_ANSWER = "noanswer"


class CodecPreference(StrEnum):
    """C3: the phone's own order, narrow codecs first, or wide codecs first."""

    PHONE = "phone"
    MOBILE = "mobile"
    WIFI = "wifi"


@dataclass(frozen=True, slots=True)
class Forward:
    """Where calls go instead: `target` is E.164, and empty exactly when `mode` is OFF."""

    mode: ForwardMode = ForwardMode.OFF
    target: str = ""

    def __post_init__(self) -> None:
        if (self.mode is ForwardMode.OFF) != (self.target == ""):
            raise ValueError(f"forwarding {self.mode} with target {self.target!r}")


@dataclass(frozen=True, slots=True)
class SipCredentials:
    """What digest authentication needs, and the password itself sealed for display (N2)."""

    realm: str
    ha1_md5: str = field(repr=False)
    ha1_sha256: str = field(repr=False)
    sealed_password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """`number` is E.164, `account` the SIP user (N2); `web_password_hash` is empty while no password is set.

    `card_token` stands for the payment card at the payment service; it is never the card's number (L1).
    """

    number: str
    account: str
    name: str
    mail: str
    service_start: datetime
    bill_day: int
    credentials: SipCredentials
    created_at: datetime
    changed_at: datetime
    web_password_hash: str = field(default="", repr=False)
    card_token: str = field(default="", repr=False)
    state: State = State.ACTIVE
    ring_time: int = 20
    voicemail: bool = True  # V1: on for a new subscriber
    mail_notice: MailNotice = MailNotice.NONE
    delete_after_mail: bool = False
    forward: Forward = Forward()
    reject_anonymous: bool = False
    international: bool = False  # N6: off at first
    codecs: CodecPreference = CodecPreference.PHONE
    priority: bool = False  # C7: may call when only some may; the operator says who
    language: Language = Language.JAPANESE
    profile: str = ""
    ended_at: datetime | None = None

    def after(self, act: Act, now: datetime) -> Subscriber:
        """The subscriber with the next state of its life; ContractFault(STATE) when the table has none (L2)."""
        state = LIFECYCLE.get((self.state, act))
        if state is None:
            raise ContractFault(Reason.STATE, f"{PhoneNumber(self.number).grouped()} is {self.state}: cannot {act} it")
        ended = now if state is State.TERMINATED else None
        return replace(self, state=state, changed_at=now, ended_at=ended)

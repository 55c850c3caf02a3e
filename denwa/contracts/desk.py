"""The contract desk: everything that changes a contract goes through here, by whatever front it comes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from denwa.contracts.credentials import RandomBytes, account_of, check_sip_password, generate_sip_password, ha1
from denwa.contracts.faults import ContractFault, Reason
from denwa.contracts.measures import Cause, Measure, MeasureAct, MeasureKind, suspension
from denwa.contracts.payment_card import check_card_token, check_numbers_on_card
from denwa.contracts.ports import ContractsStore, ContractsUnit, DialPlan
from denwa.contracts.preferences import check_mail, check_name, difference, with_settings
from denwa.contracts.profiles.files import check_known
from denwa.contracts.sealing import Seal
from denwa.contracts.standing import Clerk
from denwa.contracts.stock import OwnRange, first_free, following
from denwa.contracts.stopped_forwarding import check_target
from denwa.contracts.subscriber import (
    BILL_DAY_MAX,
    BILL_DAY_MIN,
    MAX_BLOCKED,
    Act,
    SipCredentials,
    State,
    Subscriber,
)
from denwa.contracts.web_password import WebPasswords, check_web_password
from denwa.numbering import PhoneNumber

TOKYO = ZoneInfo("Asia/Tokyo")


@dataclass(frozen=True, slots=True)
class Application:
    """What a new contract begins with. Empty: number from the stock, generated SIP password, no My Page login."""

    name: str
    mail: str
    number: str = ""  # E.164
    sip_password: str = ""
    web_password: str = ""
    bill_day: int = 1
    profile: str = ""
    card_token: str = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """The rules of contracts over a store. `realm` is the digest realm; `ring_time` a new subscriber's, in seconds."""

    store: ContractsStore
    plan: DialPlan
    ranges: Sequence[OwnRange]
    seal: Seal
    web_passwords: WebPasswords
    random_bytes: RandomBytes
    realm: str
    ring_time: int = 20
    service_name: str = "Denwa"  # stands in notices
    profiles: Collection[str] = ()  # names of the operator profiles (L4)
    default_profile: str = ""  # of new subscribers

    def add(
        self, application: Application, who: str, now: datetime, *, whatever_the_card: bool = False
    ) -> tuple[Subscriber, str]:
        """A new subscriber and its SIP password.

        `whatever_the_card`: the operator gives a sixth number on one card (約款 第9条 4).
        """
        self.check(application)
        password = application.sip_password or self.new_sip_password()
        web_hash = self.web_passwords.hash(application.web_password) if application.web_password else ""
        with self.store.changing(who, now) as unit:
            if application.card_token and not whatever_the_card:
                check_numbers_on_card(len(unit.numbers_on_card(application.card_token)))
            number = application.number or self._next_number(unit)
            if unit.given([number]):
                raise ContractFault(Reason.NUMBER_TAKEN, f"{_shown(number)} was given before")
            subscriber = self.made(replace(application, number=number), password, web_hash, now)
            unit.add([subscriber], "added")
        return subscriber, password

    def check(self, application: Application) -> None:
        """ContractFault when the application cannot be taken, whatever is in the store."""
        check_name(application.name)
        check_mail(application.mail)
        check_known(self.profiles, application.profile)
        if application.sip_password:
            check_sip_password(application.sip_password)
        if application.card_token:
            check_card_token(application.card_token)
        if application.web_password:
            check_web_password(application.web_password)
        if not BILL_DAY_MIN <= application.bill_day <= BILL_DAY_MAX:
            raise ContractFault(Reason.BAD_VALUE, f"bill_day: {BILL_DAY_MIN} to {BILL_DAY_MAX}")
        if application.number and not any(application.number in own for own in self.ranges):
            raise ContractFault(
                Reason.NOT_OWN_NUMBER, f"{_shown(application.number)} is not in the operator's own ranges"
            )

    def made(self, application: Application, password: str, web_hash: str, now: datetime) -> Subscriber:
        """The subscriber that an application (with its number) becomes."""
        return Subscriber(
            number=application.number,
            account=account_of(application.number),
            name=application.name,
            mail=application.mail,
            service_start=now,
            bill_day=application.bill_day,
            credentials=self._credentials(account_of(application.number), password),
            created_at=now,
            changed_at=now,
            web_password_hash=web_hash,
            ring_time=self.ring_time,
            profile=application.profile or self.default_profile,
            card_token=application.card_token,
        )

    def change(
        self, number: str, values: Mapping[str, str], who: str, now: datetime, *, sip_password: str = ""
    ) -> Subscriber:
        """Put settings in force, all or none (keys and values as `denwa subscriber set` writes them).

        With a new `sip_password` the old one is worth nothing from the commit on (N2).
        """
        with self.store.changing(who, now) as unit:
            before = _living(unit, number)
            after = with_settings(before, values, self.plan, now.astimezone(TOKYO).date())
            if "forward" in values and after.forward.target:
                check_target(unit, after, lambda target: any(target in own for own in self.ranges))
            what = difference(before, after)
            if sip_password:
                after = replace(after, credentials=self._credentials(before.account, sip_password))
                what = f"{what}; sip_password" if what else "sip_password"
            if what:
                after = replace(after, changed_at=now)
                unit.replace(after, what)
        return after

    def new_sip_password(self) -> str:
        return generate_sip_password(self.random_bytes)

    def sip_password(self, subscriber: Subscriber) -> str:
        """The password as it is shown to its owner (N2)."""
        return self.seal.open(subscriber.account, subscriber.credentials.sealed_password)

    def move(self, number: str, act: Act, who: str, now: datetime) -> Subscriber:
        """Suspend, resume or terminate at once (L2); a suspension without another cause, for six months at most."""
        with self.changing(who, now) as clerk:
            subscriber = _found(clerk.unit, number)
            if act is Act.SUSPEND:
                return clerk.suspend(subscriber, suspension(number, Cause.REQUEST, clerk.day))
            return clerk.resume(subscriber) if act is Act.RESUME else clerk.terminate(subscriber)

    def announce(self, measure: Measure, who: str, now: datetime, *, at_once: bool = False) -> Measure:
        """A suspension or termination that the subscriber is told of before (K9); `at_once`: it begins now."""
        with self.changing(who, now) as clerk:
            subscriber = _found(clerk.unit, measure.subscriber)
            if at_once and measure.kind is MeasureKind.SUSPENSION:
                clerk.suspend(subscriber, measure)
                return measure.after(MeasureAct.BEGIN)
            announced = clerk.announce(subscriber, measure)
            what = f"{measure.kind} from {measure.from_day} announced: {measure.cause}"
            clerk.unit.log([measure.subscriber], what)
        return announced

    @contextmanager
    def changing(self, who: str, now: datetime) -> Iterator[Clerk]:
        """A transaction for what follows from the life of a contract."""
        with self.store.changing(who, now) as unit:
            yield Clerk(unit, now.astimezone(TOKYO).date(), now, self.service_name)

    def block(self, number: str, blocked: str, who: str, now: datetime) -> bool:
        """Put a number (E.164) on the blocklist (B1). False when it is there already."""
        with self.store.changing(who, now) as unit:
            _living(unit, number)
            listed = unit.blocked(number)
            if blocked in listed:
                return False
            if len(listed) >= MAX_BLOCKED:
                raise ContractFault(
                    Reason.BLOCKLIST_FULL, f"the blocklist of {_shown(number)} has {MAX_BLOCKED} numbers: it is full"
                )
            unit.block(number, blocked)
        return True

    def unblock(self, number: str, blocked: str, who: str, now: datetime) -> None:
        with self.store.changing(who, now) as unit:
            _living(unit, number)
            if blocked not in unit.blocked(number):
                raise ContractFault(
                    Reason.NOT_BLOCKED, f"{_shown(blocked)} is not on the blocklist of {_shown(number)}"
                )
            unit.unblock(number, blocked)

    def find(self, number: str) -> Subscriber:
        return _known(self.store.find(number), number)

    def _credentials(self, account: str, password: str) -> SipCredentials:
        by_md5, by_sha256 = ha1(account, self.realm, password)
        return SipCredentials(self.realm, by_md5, by_sha256, self.seal.close(account, password))

    def _next_number(self, unit: ContractsUnit) -> str:
        """N1: in order, range by range, never one that was given before."""
        for first, last in self.ranges:
            position = unit.stock_position(first) or first
            number = first_free(position, last, unit.given_from(position, last))
            if number is not None:
                unit.move_stock(first, last, following(number))
                return number
        raise ContractFault(Reason.NO_NUMBER_LEFT, "every number of the operator's own ranges was given")


def _shown(number: str) -> str:
    return PhoneNumber(number).grouped()


def _found(unit: ContractsUnit, number: str) -> Subscriber:
    return _known(unit.find(number), number)


def _known(subscriber: Subscriber | None, number: str) -> Subscriber:
    if subscriber is None:
        raise ContractFault(Reason.UNKNOWN_SUBSCRIBER, f"{_shown(number)} is not a subscriber")
    return subscriber


def _living(unit: ContractsUnit, number: str) -> Subscriber:
    subscriber = _found(unit, number)
    if subscriber.state is State.TERMINATED:
        raise ContractFault(Reason.STATE, f"{_shown(number)} is terminated")
    return subscriber

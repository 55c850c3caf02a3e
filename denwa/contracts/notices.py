"""What subscribers are told beforehand, and what they are told of what happened (K9; 約款 第13条 4, 第17条 2, 第34条).

Japanese first. A text names days, never a number of days left, so that it is right whenever it is read.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import NamedTuple

from denwa.contracts.measures import Cause, Measure, MeasureKind
from denwa.numbering import PhoneNumber


class NoticeKind(StrEnum):
    SUSPENSION = "suspension"
    RESUMPTION = "resumption"
    WITHDRAWAL = "withdrawal"  # of what was announced
    TERMINATION = "termination"
    DORMANCY = "dormancy"
    FORWARDING = "forwarding"  # stopped by the operator (F5)


class NoticeState(StrEnum):
    WAITING = "waiting"  # to be given
    GIVEN = "given"
    FAILED = "failed"  # the mail could not be delivered: give it in another way (約款 第34条)
    DROPPED = "dropped"  # never given: another notice says more, or its cause is gone


class Notice(NamedTuple):
    """One notice to one subscriber. (`subscriber`, `kind`, `about`) is unique, so that nothing is told twice.

    `due_on`: the day from which it is to be given; `given_on`: the day on which it was, `channel` how (mail, letter).
    `measure` is the key of the measure that it announces, None for other kinds.
    """

    key: int
    subscriber: str  # E.164
    kind: NoticeKind
    about: str
    due_on: date
    subject: str
    text: str
    measure: int | None = None
    state: NoticeState = NoticeState.WAITING
    given_on: date | None = None
    channel: str = ""


class Addressee(NamedTuple):
    """Whom a notice is for; `service` is the operator's service name."""

    number: str  # E.164
    name: str
    service: str


_CAUSES = {
    Cause.UNPAID: ("料金のお支払いが確認できないため", "the bill has not been paid"),
    Cause.MISUSE: ("約款に定める利用に係る義務に反するご利用が認められたため", "the terms of use were not kept"),
    Cause.REQUEST: ("お申し出または運用上の必要により", "it was asked for, or operation required it"),
    Cause.DORMANT: ("12か月間連続してご利用料金の請求がないため", "there was no bill for 12 months in a row"),
}


def measure_notice(to: Addressee, measure: Measure, written_on: date, amount_yen: int = 0) -> Notice:
    """The notice of a suspension or termination: cause, day and period. `amount_yen` of the unpaid bill, with tax."""
    if measure.kind is MeasureKind.TERMINATION:
        return _notice(to, NoticeKind.TERMINATION, measure, written_on, _termination(measure))
    return _notice(to, NoticeKind.SUSPENSION, measure, written_on, _suspension(measure, written_on, amount_yen))


def resumption_notice(to: Addressee, about: str, on: date) -> Notice:
    """The contract can call out again."""
    subject = "ご利用再開のお知らせ"
    japanese = [f"{_day(on)}より、発信を含むすべての機能をご利用いただけます。"]
    english = [f"From {on} calls can be made again, and everything else works too."]
    return Notice(0, to.number, NoticeKind.RESUMPTION, about, on, subject, _letter(to, subject, japanese, english))


def withdrawal_notice(to: Addressee, measure: Measure, on: date) -> Notice:
    """What was announced for `measure.from_day` does not happen."""
    what = "ご利用停止" if measure.kind is MeasureKind.SUSPENSION else "契約解除"
    subject = f"{what}の予告の取消し"
    japanese = [f"先にお知らせした{_day(measure.from_day)}の{what}は、取り消されました。"]
    english = [f"The {measure.kind} that was announced for {measure.from_day} will not take place."]
    text = _letter(to, subject, japanese, english)
    return Notice(0, to.number, NoticeKind.WITHDRAWAL, f"measure {measure.key}", on, subject, text)


def dormancy_notice(to: Addressee, dormant_on: date, due_on: date) -> Notice:
    """約款 第13条 3, 4: from `dormant_on` on there have been 12 months in a row without a bill."""
    subject = "契約解除の予告（長期間ご利用料金の請求がないお客様へ）"
    japanese = [
        f"{_day(dormant_on)}の前日まで、12か月間連続してご利用料金の請求がない場合、",
        f"{_day(dormant_on)}以降に音声通信サービス契約を解除させていただくことがあります（約款第13条第3項）。",
        "解除された番号は、再びご利用いただくことができません。",
        "",
        "引き続きご利用になる場合は、その前に有料の通話をご利用ください。",
    ]
    english = [
        f"If there is no bill for 12 months in a row until the day before {dormant_on}, the contract may be ended from",
        f"{dormant_on} on. Its number cannot be had again. To keep it, make a call that is charged before that day.",
    ]
    about = f"{dormant_on} {due_on}"
    text = _letter(to, subject, japanese, english)
    return Notice(0, to.number, NoticeKind.DORMANCY, about, due_on, subject, text)


def forwarding_notice(to: Addressee, target: str, reason: str, key: int, on: date) -> Notice:
    """F5: the operator stopped the forwarding to `target` (E.164). `key` is that of the stop."""
    subject = "着信転送の中止のお知らせ"
    shown = PhoneNumber(target).grouped()
    japanese = [
        f"{_day(on)}、{shown}への着信転送を中止いたしました（約款 料金表 第3 備考3（4））。",
        f"理由：{reason}",
        "",
        "この転送先を再び設定することはできません。ほかの転送先または留守番電話は、いつでも設定いただけます。",
    ]
    english = [
        f"On {on} the forwarding of your calls to {shown} was stopped: {reason}",
        "This number cannot be set again; another one, or voicemail, can be set at any time.",
    ]
    text = _letter(to, subject, japanese, english)
    return Notice(0, to.number, NoticeKind.FORWARDING, f"stop {key}", on, subject, text)


class _Words(NamedTuple):
    subject: str
    japanese: list[str]
    english: list[str]


def _suspension(measure: Measure, written_on: date, amount_yen: int) -> _Words:
    cause, why = _CAUSES[measure.cause]
    japanese = [f"{cause}、次のとおりご利用（発信）を停止いたします（約款第17条）。", ""]
    english = [f"Outgoing calls will be stopped because {why}:", ""]
    if measure.month:
        japanese += [f"未払いの料金月：{_month(measure.month)}", f"金額（税込）：{amount_yen:,}円"]
        english += [f"unpaid month: {measure.month}", f"amount with tax: {amount_yen:,} yen"]
    until = f"{_day(measure.until_day)}まで" if measure.until_day else "お支払いが確認できるまで"
    japanese += [f"停止する日：{_day(measure.from_day)}", f"停止する期間：{until}", ""]
    english += [f"from: {measure.from_day}", f"until: {measure.until_day or 'the payment is confirmed'}", ""]
    if measure.month:
        japanese += ["停止する日の前日までにお支払いが確認できた場合、停止いたしません。"]
        english += ["If the payment is confirmed before that day, nothing is stopped."]
    japanese += ["停止中も着信はご利用いただけます。"]
    english += ["Incoming calls go on meanwhile."]
    at_once = measure.from_day <= written_on
    return _Words("ご利用停止のお知らせ" if at_once else "ご利用停止の予告", japanese, english)


def _termination(measure: Measure) -> _Words:
    cause, why = _CAUSES[measure.cause]
    japanese = [
        f"{cause}、{_day(measure.from_day)}をもって音声通信サービス契約を解除いたします（約款第13条）。",
        "解除された番号は、再びご利用いただくことができません。お預かりしているメッセージは消去されます。",
    ]
    english = [
        f"The contract ends on {measure.from_day} because {why}.",
        "Its number cannot be had again; stored messages are deleted.",
    ]
    return _Words("契約解除の予告", japanese, english)


def _notice(to: Addressee, kind: NoticeKind, measure: Measure, written_on: date, words: _Words) -> Notice:
    text = _letter(to, *words)
    about = measure.month if measure.cause is Cause.UNPAID and measure.month else f"measure {measure.key}"
    return Notice(0, to.number, kind, about, written_on, words.subject, text, measure.key)


def _letter(to: Addressee, subject: str, japanese: list[str], english: list[str]) -> str:
    number = PhoneNumber(to.number).grouped()
    head = [f"{to.name} 様" if to.name else "お客様", "", f"{to.service}　{subject}", f"電話番号：{number}", ""]
    tail = ["----", f"Number: {number}", *english, "", to.service]
    return "\n".join([*head, *japanese, "", *tail]) + "\n"


def _month(name: str) -> str:
    year, month = name.split("-")
    return f"{year}年{int(month)}月"


def _day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"

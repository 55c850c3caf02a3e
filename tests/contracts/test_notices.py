"""What subscribers are told: Japanese first, with cause, day and period (K9; 約款 第13条 4, 第17条 2)."""

from __future__ import annotations

from datetime import date

import pytest

from denwa.contracts.measures import CAUSES, Cause, Measure, MeasureKind, suspension, termination
from denwa.contracts.notices import (
    Addressee,
    Notice,
    NoticeKind,
    dormancy_notice,
    measure_notice,
    resumption_notice,
    withdrawal_notice,
)

NUMBER = "+815050010001"
TO = Addressee(NUMBER, "山田", "Denwa")
WRITTEN = date(2026, 11, 5)
DAY = date(2026, 11, 25)

SUSPENSION = """\
山田 様

Denwa　ご利用停止の予告
電話番号：050-5001-0001

料金のお支払いが確認できないため、次のとおりご利用（発信）を停止いたします（約款第17条）。

未払いの料金月：2026年9月
金額（税込）：10,450円
停止する日：2026年11月25日
停止する期間：お支払いが確認できるまで

停止する日の前日までにお支払いが確認できた場合、停止いたしません。
停止中も着信はご利用いただけます。

----
Number: 050-5001-0001
Outgoing calls will be stopped because the bill has not been paid:

unpaid month: 2026-09
amount with tax: 10,450 yen
from: 2026-11-25
until: the payment is confirmed

If the payment is confirmed before that day, nothing is stopped.
Incoming calls go on meanwhile.

Denwa
"""


def every_notice() -> list[Notice]:
    unpaid = suspension(NUMBER, Cause.UNPAID, DAY, month="2026-09")
    measures: list[Measure] = [unpaid, suspension(NUMBER, Cause.MISUSE, DAY), suspension(NUMBER, Cause.REQUEST, DAY)]
    measures += [termination(NUMBER, cause, DAY) for cause in CAUSES[MeasureKind.TERMINATION]]
    notices = [measure_notice(TO, measure, WRITTEN, 10_450) for measure in measures]
    notices += [withdrawal_notice(TO, measure, WRITTEN) for measure in measures]
    return [*notices, resumption_notice(TO, "a", DAY), dormancy_notice(TO, DAY, WRITTEN)]


def test_the_notice_of_an_unpaid_bill_reads_so() -> None:
    notice = measure_notice(TO, suspension(NUMBER, Cause.UNPAID, DAY, month="2026-09"), WRITTEN, 10_450)
    assert notice.text == SUSPENSION
    assert (notice.kind, notice.about, notice.due_on) == (NoticeKind.SUSPENSION, "2026-09", WRITTEN)


@pytest.mark.parametrize("notice", every_notice(), ids=lambda notice: notice.subject)
def test_every_notice_says_whom_it_is_for_and_names_its_day_in_both_languages(notice: Notice) -> None:
    japanese, _, english = notice.text.partition("----\n")
    assert japanese.startswith("山田 様\n")
    assert "2026年11月25日" in japanese
    assert "2026-11-25" in english
    assert "050-5001-0001" in japanese
    assert "050-5001-0001" in english
    assert notice.subject in japanese
    assert all(line.replace("　", " ").isprintable() for line in notice.text.split("\n"))


def test_a_suspension_for_misuse_names_its_last_day() -> None:  # 約款 第17条 2: 停止する日及び期間
    notice = measure_notice(TO, suspension(NUMBER, Cause.MISUSE, DAY), WRITTEN)
    assert "停止する期間：2027年5月24日まで" in notice.text
    assert "until: 2027-05-24" in notice.text
    assert "金額" not in notice.text


def test_what_begins_at_once_is_no_announcement() -> None:
    assert measure_notice(TO, suspension(NUMBER, Cause.MISUSE, DAY), DAY).subject == "ご利用停止のお知らせ"
    assert measure_notice(TO, suspension(NUMBER, Cause.MISUSE, DAY), WRITTEN).subject == "ご利用停止の予告"


def test_who_has_no_name_is_addressed_all_the_same() -> None:
    assert resumption_notice(Addressee(NUMBER, "", "Denwa"), "a", DAY).text.startswith("お客様\n")

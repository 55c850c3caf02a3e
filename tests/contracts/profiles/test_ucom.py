"""UCOM光 (seeds/001, マイページ 操作マニュアル; seeds/002, リモートサポート): options, computed (L4)."""

from __future__ import annotations

import pytest

from denwa.contracts.profiles.in_force import NoRuleError
from denwa.contracts.profiles.recurring import OptionBill, Use, benefit_from, option_charges
from denwa.contracts.profiles.schema import Profile
from denwa.contracts.profiles.withdrawal import last_day
from tests.contracts.profiles.shipped import RESIDENCE, SPAAQS, day, month


def paid(bill: OptionBill) -> list[tuple[str, int]]:
    return [(str(charge.month), charge.yen) for charge in bill.charges if charge.yen]


@pytest.mark.parametrize("profile", [SPAAQS, RESIDENCE], ids=lambda profile: profile.name)
@pytest.mark.parametrize(
    ("option", "monthly"),
    [("mail-pack", 300), ("mail-web", 300), ("security-360", 571), ("remote-support", 500)],
)
def test_an_option_is_charged_from_the_month_after_purchase_through_the_month_of_cancellation(
    profile: Profile, option: str, monthly: int
) -> None:  # L4, マニュアル 13, 14, 15, 17; リモートサポート <提供開始日と料金の発生について>
    use = Use(day("2015-01-19"), day("2015-03-02"))
    assert paid(option_charges(profile, option, [use], month("2015-12"))) == [
        ("2015-02", monthly),
        ("2015-03", monthly),
    ]
    for begun, ended in (("2015-01-01", "2015-03-31"), ("2015-01-31", "2015-03-01")):  # 日割り計算は行いません
        other = Use(day(begun), day(ended))
        assert option_charges(profile, option, [other], month("2015-12")).total_yen == 2 * monthly


def test_an_option_that_goes_on_is_charged_up_to_the_month_asked_for() -> None:  # L4, マニュアル 17
    bill = option_charges(SPAAQS, "remote-support", [Use(day("2014-12-29"))], month("2015-03"))
    assert paid(bill) == [("2015-01", 500), ("2015-02", 500), ("2015-03", 500)]
    assert bill.ends == [None]


@pytest.mark.parametrize(("option", "charged"), [("mail-pack", 300), ("security-360", 571), ("remote-support", 0)])
def test_an_option_cancelled_in_the_month_of_purchase(option: str, charged: int) -> None:
    # L4, マニュアル 15: お申し込み月中に解約した場合も同様です (1 か月分).
    # リモートサポート: from the month after the beginning through that of cancellation, so there is no month.
    use = Use(day("2015-01-16"), day("2015-01-20"))
    assert option_charges(SPAAQS, option, [use], month("2015-12")).total_yen == charged


def test_security_bought_again_in_the_same_month_is_charged_for_the_first_and_free_again_for_the_second() -> None:
    # L4, マニュアル 15: その月に解約分、その翌月から再購入分（購入月無料）
    uses = [Use(day("2015-01-05"), day("2015-01-10")), Use(day("2015-01-16"), day("2015-02-28"))]
    assert paid(option_charges(SPAAQS, "security-360", uses, month("2015-12"))) == [("2015-01", 571), ("2015-02", 571)]


def test_mail_bought_and_cancelled_again_and_again_is_charged_for_every_purchase() -> None:
    # L4, マニュアル 13: 同月内に、申し込み・解約・申し込みを繰り返された場合は、購入毎の利用料金
    uses = [Use(day(f"2015-01-{d:02}"), day(f"2015-01-{d + 1:02}")) for d in (1, 5, 9)]
    assert option_charges(SPAAQS, "mail-pack", uses, month("2015-12")).total_yen == 3 * 300


@pytest.mark.parametrize("profile", [SPAAQS, RESIDENCE], ids=lambda profile: profile.name)
def test_remote_support_costs_3000_yen_when_it_is_subscribed_to_again(profile: Profile) -> None:
    # L4, リモートサポート ご利用料金, マニュアル 19: 初回は不要、再度の申し込みに 3,000円
    first = Use(day("2015-01-10"), day("2015-02-10"))
    assert paid(option_charges(profile, "remote-support", [first], month("2015-12"))) == [("2015-02", 500)]
    again = option_charges(profile, "remote-support", [first, Use(day("2015-02-20"))], month("2015-03"))
    assert paid(again) == [("2015-02", 500), ("2015-02", 3000), ("2015-03", 500)]
    thrice = [first, Use(day("2015-02-20"), day("2015-02-21")), Use(day("2015-06-01"), day("2015-06-30"))]
    assert option_charges(profile, "remote-support", thrice, month("2015-12")).total_yen == 500 + 3000 + 3000


def test_only_remote_support_has_a_fee_for_subscribing_again() -> None:  # L4
    assert {option.id for option in SPAAQS.option if option.again_yen} == {"remote-support"}


@pytest.mark.parametrize(("option", "monthly"), [("device-guarantee", 500), ("device-guarantee-extra", 250)])
def test_the_guarantee_asked_for_on_16_february_begins_and_is_charged_from_1_april(option: str, monthly: int) -> None:
    # L4, マニュアル 20: 例：2015 年 2 月 16 日にお申し込みされた場合は、2015 年 4 月 1 日～
    bill = option_charges(SPAAQS, option, [Use(day("2015-02-16"))], month("2015-05"))
    assert paid(bill) == [("2015-04", monthly), ("2015-05", monthly)]
    assert benefit_from(SPAAQS, option, day("2015-02-16")) == day("2015-04-01")


@pytest.mark.parametrize("begun", ["2015-02-01", "2015-02-10", "2015-02-28"])
def test_the_exclusion_period_is_the_first_month_and_the_next(begun: str) -> None:  # L4, マニュアル 20: 免責期間
    assert benefit_from(SPAAQS, "device-guarantee", day(begun)) == day("2015-04-01")


@pytest.mark.parametrize(("ended", "total"), [("2015-02-20", 0), ("2015-03-31", 0), ("2015-04-01", 500)])
def test_leaving_within_the_exclusion_period_costs_nothing(ended: str, total: int) -> None:
    # L4, マニュアル 20: お申し込み後のキャンセルは、免責期間内であれば費用は発生いたしません
    use = Use(day("2015-02-16"), day(ended))
    assert option_charges(SPAAQS, "device-guarantee", [use], month("2015-12")).total_yen == total


def test_other_options_can_be_used_at_once() -> None:  # マニュアル 17: お申し込み後、すぐにご利用いただけます
    assert benefit_from(SPAAQS, "remote-support", day("2015-02-16")) == day("2015-02-16")


def test_remote_support_ends_on_the_day_of_acceptance_and_the_guarantee_at_the_end_of_the_month() -> None:
    # L4, リモートサポート <解約や契約内容の変更等について>; マニュアル 20: 当月末日での解約
    use = Use(day("2015-02-16"), day("2015-05-07"))
    assert option_charges(SPAAQS, "remote-support", [use], month("2015-12")).ends == [day("2015-05-07")]
    assert option_charges(SPAAQS, "device-guarantee", [use], month("2015-12")).ends == [day("2015-05-31")]


def test_the_guarantee_is_offered_with_spaaqs_only() -> None:  # マニュアル 20: Spaaqs 光のみのサービス
    with pytest.raises(NoRuleError, match="'device-guarantee'"):
        option_charges(RESIDENCE, "device-guarantee", [Use(day("2015-02-16"))], month("2015-05"))


def test_an_option_cannot_be_subscribed_to_twice_at_once() -> None:  # マニュアル 13: 1契約につき1個
    for first in (Use(day("2015-01-10")), Use(day("2015-01-10"), day("2015-02-21"))):
        with pytest.raises(NoRuleError, match="subscribed to already"):
            option_charges(SPAAQS, "mail-pack", [first, Use(day("2015-02-20"))], month("2015-03"))
    with pytest.raises(NoRuleError, match="1 to 1 units"):
        option_charges(SPAAQS, "mail-pack", [Use(day("2015-01-10"))], month("2015-03"), units=2)


def test_an_option_cannot_end_before_it_began() -> None:
    with pytest.raises(NoRuleError, match="ended before it began"):
        option_charges(SPAAQS, "mail-pack", [Use(day("2015-01-10"), day("2015-01-09"))], month("2015-03"))


def test_the_documents_have_no_cut_off_day_for_the_line() -> None:
    with pytest.raises(NoRuleError, match="締め日"):
        last_day(SPAAQS, day("2015-02-16"))

"""International numbers (N6): ranges, not country codes."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.numbering import NumberClass, NumberingPlan, Reading, Refusal, RefusalReason
from tests.numbering.conftest import TODAY

# 料金表 第1表 第1 1-2 (2) names 27 countries; the parts in brackets there are counted apart.
TARIFF = [
    *["アメリカ合衆国", "ハワイ", "グアム", "アラスカ", "イタリア共和国", "インドネシア共和国", "オーストラリア"],
    *["オランダ王国", "カナダ", "ギリシャ共和国", "グレートブリテン及び北部アイルランド連合王国", "サイパン"],
    *[
        "シンガポール共和国",
        "スペイン",
        "スイス連邦",
        "タイ王国",
        "大韓民国",
        "中国人民共和国",
        "香港",
        "マカオ",
        "台湾",
    ],
    *["ドイツ連邦共和国", "ニュージーランド", "フィリピン共和国", "バチカン市国", "ブルネイ・ダルサラーム国"],
    *["フランス共和国", "ブラジル連邦共和国", "ベトナム社会主義共和国", "ベルギー王国", "マレーシア", "ロシア連邦"],
]

OFFERED = [
    ("+12125551234", "US"),
    ("+14155551234", "US"),
    ("+18675551234", "CA"),  # the territories, not a state
    ("+18085551234", "US-HI"),
    ("+19075551234", "US-AK"),
    ("+16715551234", "GU"),
    ("+16705551234", "MP"),
    ("+14165551234", "CA"),
    ("+390612345678", "IT"),
    ("+393331234567", "IT"),
    ("+390669812345", "VA"),
    ("+37912345678", "VA"),
    ("+62211234567", "ID"),
    ("+6281212345678", "ID"),
    ("+61291234567", "AU"),
    ("+61412345678", "AU"),
    ("+61891631234", "AU"),  # Western Australia, between Cocos and Christmas Island
    ("+61851003123", "AU"),
    ("+31201234567", "NL"),
    ("+302101234567", "GR"),
    ("+442071234567", "GB"),
    ("+447400123456", "GB"),
    ("+441482123456", "GB"),  # Hull, beside Guernsey's 1481
    ("+447457812345", "GB"),  # beside the Isle of Man's 74576
    ("+6561234567", "SG"),
    ("+34911234567", "ES"),
    ("+34612345678", "ES"),
    ("+34952123456", "ES"),  # Málaga and Melilla share an area code: Spain
    ("+41441234567", "CH"),
    ("+6621234567", "TH"),
    ("+66812345678", "TH"),
    ("+82212345678", "KR"),
    ("+821012345678", "KR"),
    ("+861012345678", "CN"),
    ("+8613812345678", "CN"),
    ("+85221234567", "HK"),
    ("+85366123456", "MO"),
    ("+886212345678", "TW"),
    ("+886912345678", "TW"),
    ("+493012345678", "DE"),
    ("+4915112345678", "DE"),
    ("+64212345678", "NZ"),
    ("+6491234567", "NZ"),
    ("+63281234567", "PH"),
    ("+639171234567", "PH"),
    ("+6732123456", "BN"),
    ("+33140205050", "FR"),
    ("+33612345678", "FR"),
    ("+33261123456", "FR"),  # beside Réunion's 262
    ("+33695123456", "FR"),  # between the overseas mobile ranges
    ("+551112345678", "BR"),
    ("+5511912345678", "BR"),
    ("+842412345678", "VN"),
    ("+84912345678", "VN"),
    ("+3221234567", "BE"),
    ("+32470123456", "BE"),
    ("+60312345678", "MY"),
    ("+60123456789", "MY"),
    ("+74951234567", "RU"),
    ("+78431234567", "RU"),  # Kazan, beside Abkhazia's 840
    ("+79161234567", "RU"),
]

NOT_OFFERED = [
    ("+12425551234", "the Bahamas"),
    ("+14415551234", "Bermuda"),
    ("+18765551234", "Jamaica"),
    ("+18095551234", "the Dominican Republic"),
    ("+16495551234", "Turks and Caicos"),
    ("+17875551234", "Puerto Rico"),
    ("+16845551234", "American Samoa"),
    ("+13405551234", "the US Virgin Islands"),
    ("+17215551234", "Sint Maarten"),
    ("+16585551234", "Jamaica"),
    ("+14735551234", "Grenada"),
    ("+18685551234", "Trinidad"),
    ("+18005551234", "freephone"),
    ("+19005551234", "premium"),
    ("+77012345678", "Kazakhstan"),
    ("+76121234567", "Kazakhstan"),
    ("+78401234567", "Abkhazia"),
    ("+441481256789", "Guernsey"),
    ("+447781123456", "Guernsey mobile"),
    ("+447911123456", "Guernsey mobile"),
    ("+441534456789", "Jersey"),
    ("+447797712345", "Jersey mobile"),
    ("+441624756789", "Isle of Man"),
    ("+447924123456", "Isle of Man mobile"),
    ("+447012345678", "personal number (070)"),
    ("+447640123456", "pager (076)"),
    ("+449012345678", "premium"),
    ("+447509123456", "Jersey mobile"),
    ("+447839123456", "Guernsey mobile"),
    ("+447624123456", "Isle of Man mobile"),
    ("+448451234567", "special rate"),
    ("+390549123456", "San Marino"),
    ("+37812345678", "San Marino"),
    ("+61891621234", "Cocos Islands"),
    ("+61891641234", "Christmas Island"),
    ("+61851002123", "Cocos Islands"),
    ("+61891703123", "Cocos Islands"),
    ("+61851001123", "Christmas Island"),
    ("+61891958123", "Christmas Island"),
    ("+33262123456", "Réunion, behind +33"),
    ("+33269123456", "Mayotte"),
    ("+33590123456", "Guadeloupe"),
    ("+33594123456", "French Guiana"),
    ("+33596123456", "Martinique"),
    ("+33690123456", "Guadeloupe mobile"),
    ("+33692123456", "Réunion mobile"),
    ("+262262123456", "Réunion"),
    ("+590590123456", "Guadeloupe"),
    ("+4779123456", "Svalbard, behind Norway's code"),
    ("+3581812345", "Åland, behind Finland's code"),
    ("+6424091234", "Scott Base"),
    ("+78501234567", "South Ossetia"),
    ("+79401234567", "Abkhazia mobile"),
    ("+77771234567", "Kazakhstan mobile"),
    ("+85290012345", "Hong Kong premium"),
    ("+8613491234567", "Chinese satellite"),
    ("+8816123456789", "satellite"),
    ("+87812345678", "universal personal"),
    ("+80012345678", "international freephone"),
    ("+67212345678", "Norfolk Island"),
    ("+62868123456789", "satellite"),
    ("+919812345678", "India"),
    ("+85512345678", "Cambodia"),
    ("+870773123456", "Inmarsat"),
    ("+88213123456", "international networks"),
    ("+97912345678", "international premium"),
]


def test_the_tariff_has_32_countries_and_regions_under_27_names(plan: NumberingPlan) -> None:
    # N6
    assert len(plan.countries) == len(TARIFF) == 32
    assert {country.name for country in plan.countries} == set(TARIFF)
    counted_apart = {"ハワイ", "グアム", "アラスカ", "香港", "マカオ"}
    assert len(set(TARIFF) - counted_apart) == 27


def test_every_country_of_the_tariff_has_an_example_here(plan: NumberingPlan) -> None:
    assert {code for _, code in OFFERED} == {country.code for country in plan.countries}


@pytest.mark.parametrize(("e164", "code"), OFFERED)
def test_a_country_of_the_tariff_can_be_called(plan: NumberingPlan, e164: str, code: str) -> None:
    # N6
    for dialled in (e164, "010" + e164[1:], f"tel:{e164}", "010-" + "-".join(e164[1:])):
        found = plan.read(dialled, TODAY)
        assert isinstance(found, Reading), found
        assert found.number_class is NumberClass.INTERNATIONAL
        assert found.number.e164 == e164
        assert found.country is not None
        assert found.country.code == code


@pytest.mark.parametrize(
    ("e164", "first_day"),
    [
        ("+18615551234", date(2023, 2, 24)),
        ("+14365551234", date(2024, 3, 1)),
        ("+16215551234", date(2025, 1, 23)),
        ("+16795551234", date(2025, 11, 7)),
    ],
)
def test_an_area_code_is_unknown_until_its_first_day(plan: NumberingPlan, e164: str, first_day: date) -> None:
    # N6, T8
    before = plan.read(e164, first_day - timedelta(days=1))
    assert isinstance(before, Refusal)
    assert (before.reason, before.alarm) == (RefusalReason.UNKNOWN_BLOCK, True)
    found = plan.read(e164, first_day)
    assert isinstance(found, Reading)
    assert found.country is not None
    assert found.country.code == "US"


@pytest.mark.parametrize(("e164", "_what"), NOT_OFFERED)
def test_what_the_tariff_does_not_name_is_answered_403(plan: NumberingPlan, e164: str, _what: str) -> None:
    # N6
    found = plan.read(e164, TODAY)
    assert isinstance(found, Refusal), found
    assert (found.reason, found.sip_status) == (RefusalReason.COUNTRY_NOT_OFFERED, 403)
    assert (found.prompt, found.alarm) == ("country-not-offered", False)
    assert "国際電話" in found.text_ja


@pytest.mark.parametrize(
    "e164", ["+33836123456", "+33700123456789", "+34803123456", "+34902123456", "+34701234567", "+78091234567"]
)
def test_ranges_barred_by_the_operator_are_answered_403(plan: NumberingPlan, e164: str) -> None:
    # N6: France, Spain, Russia
    found = plan.read(e164, TODAY)
    assert isinstance(found, Refusal), found
    assert (found.reason, found.sip_status, found.prompt) == (RefusalReason.BARRED_RANGE, 403, "barred")


@pytest.mark.parametrize("e164", ["+19995551234", "+12115551234", "+999123456789", "+2101234567", "+33012345678"])
def test_an_unknown_range_abroad_is_refused_with_an_alarm(plan: NumberingPlan, e164: str) -> None:
    # N4
    found = plan.read(e164, TODAY)
    assert isinstance(found, Refusal), found
    assert (found.reason, found.alarm) == (RefusalReason.UNKNOWN_BLOCK, True)


@pytest.mark.parametrize("dialled", ["010", "0101", "+1212555", "+44", "01033140"])
def test_an_incomplete_number_abroad_is_answered_484(plan: NumberingPlan, dialled: str) -> None:
    found = plan.read(dialled, TODAY)
    assert isinstance(found, Refusal), found
    assert found.sip_status == 484


@given(digits=st.from_regex(r"\A81[0-9]{0,13}\Z"))
def test_no_number_behind_010_81_is_international(plan: NumberingPlan, digits: str) -> None:
    # N6: 010 + 81 is not a way around N5
    for dialled in ("010" + digits, "+" + digits):
        found = plan.read(dialled, TODAY)
        if isinstance(found, Reading):
            assert found.number_class is not NumberClass.INTERNATIONAL
            assert found == plan.read(found.number.national(), TODAY)


@given(digits=st.from_regex(r"\A[1-9][0-9]{6,14}\Z"))
def test_a_number_abroad_is_read_alike_behind_plus_and_010(plan: NumberingPlan, digits: str) -> None:
    assert plan.read("+" + digits, TODAY) == plan.read("010" + digits, TODAY)

"""URIs and addresses (RFC 3261 §19, §20.10, §25.1; RFC 3966; cases of RFC 4475 and RFC 5118)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.voip.sip.uri import (
    SipUri,
    TelUri,
    UriFault,
    parse_address,
    parse_params,
    parse_uri,
    same_binding_key,
    same_uri,
    split_addresses,
    unescape,
)


def sip(raw: bytes) -> SipUri:
    uri = parse_uri(raw)
    assert isinstance(uri, SipUri)
    return uri


def test_every_part_of_a_sip_uri_is_read():
    uri = sip(b"SIPS:alice;day=tuesday:secret@Atlanta.com:5071;Transport=TCP;lr?subject=x&to=y")
    assert uri == (
        b"sips",
        b"alice;day=tuesday",
        b"secret",
        b"Atlanta.com",
        5071,
        {b"transport": b"TCP", b"lr": b""},
        b"subject=x&to=y",
    )
    assert (uri.user_name, uri.transport, uri.user_phone) == (b"alice", b"tcp", False)


def test_a_number_with_a_dip_indicator_keeps_its_host():  # N3
    uri = sip(b"sip:0312345678;npdi@denwa.example;user=phone")
    assert (uri.user_name, uri.host, uri.user_phone) == (b"0312345678", b"denwa.example", True)


def test_full_width_digits_are_read_raw_and_escaped():  # N3
    raw = "０３１２".encode()
    escaped = b"".join(b"%%%02X" % byte for byte in raw)
    assert sip(b"sip:" + raw + b"@h").user_name == sip(b"sip:" + escaped + b"@h").user_name == raw


@pytest.mark.parametrize(
    ("raw", "host", "port"),
    [
        (b"sip:[2001:db8::10]", b"[2001:db8::10]", 0),
        (b"sip:[2001:db8::10]:5070", b"[2001:db8::10]", 5070),
        (b"sip:user@[2001:db8::10:5070]", b"[2001:db8::10:5070]", 0),
        (b"sip:user@[::ffff:192.0.2.10]:19823;lr", b"[::ffff:192.0.2.10]", 19823),
        (b"sip:192.0.2.1:5060", b"192.0.2.1", 5060),
        (b"sip:host5.example.com", b"host5.example.com", 0),
        (b"sip:a@xn--a.example.", b"xn--a.example.", 0),
    ],
)
def test_hosts_are_names_or_addresses_of_both_families(raw, host, port):  # RFC 5118 §4
    uri = sip(raw)
    assert (uri.host, uri.port) == (host, port)


def test_the_unusual_user_of_the_torture_tests_is_one_user():  # RFC 4475 §3.1.1.2
    raw = b"sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com"
    uri = sip(raw)
    assert uri.user == b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert uri.password == b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert uri.host == b"example.com"


def test_escaped_separators_stay_in_the_user():  # RFC 4475 §3.1.1.3
    assert sip(b"sip:sips%3Auser%40example.com@example.net").user_name == b"sips:user@example.com"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"sip",
        b"sip:",
        b"sip:@host",
        b"sip::pw@host",
        b"sip:user@",
        b"sip:user@host:",
        b"sip:user@host:0",
        b"sip:user@host:65536",
        b"sip:user@host:50x",
        b"sip:user@ho st",
        b"sip:us er@host",
        b"sip:user@host;",
        b"sip:user@host;a=1;A=2",
        b"sip:user@host;a= 1",
        b"sip:user@host?",
        b"sip:user@host?a=\x01",
        b"sip:us%4@host",
        b"sip:us%@host",
        b"sip:us%zz@host",
        b"sip:us%+1@host",
        b"sip:user@host%41",
        b"sip:user@256.1.1.1",
        b"sip:user@1.2.3",
        b"sip:user@12345",
        b"sip:user@a..b",
        b"sip:user@.b",
        b"sip:user@[::1",
        b"sip:user@[::1]x",
        b"sip:user@[1.2.3.4]",
        b"sip:user@[fe80::1%eth0]",
        b"sip:2001:db8::10",  # RFC 5118 §4.2
        b"sip:a@b@c",
        b"<sip:user@host>",
        b"isbn:2983792873",
        b"http://host/",
        b"tel:",
        b"tel:+",
        b"tel:+-",
        b"tel:12x",
        b"tel:12;",
    ],
)
def test_a_uri_out_of_shape_is_refused(raw):
    with pytest.raises(UriFault):
        parse_uri(raw)


def test_tel_uris_keep_the_number_as_written():  # N3
    uri = parse_uri(b"tel:+81-3-1234-5678;phone-context=example.com")
    assert uri == TelUri(b"+81-3-1234-5678", {b"phone-context": b"example.com"})


@given(st.binary())
def test_bytes_are_read_or_refused_never_anything_else(noise):
    for raw in (noise, b"sip:" + noise, b"sip:a@" + noise, b"tel:" + noise):
        try:
            uri = parse_uri(raw)
        except UriFault:
            continue
        assert same_uri(uri, uri)


# RFC 3261 §19.1.4, the document's own examples and the rules they illustrate.
EQUAL = [
    (b"sip:%61lice@atlanta.com;transport=TCP", b"sip:alice@AtLanTa.CoM;Transport=tcp"),
    (b"sip:carol@chicago.com", b"sip:carol@chicago.com;newparam=5"),
    (b"sip:carol@chicago.com;newparam=5", b"sip:carol@chicago.com;security=on"),
    (
        b"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        b"sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    (
        b"sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        b"sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ),
    (b"tel:+81-3-1234-5678", b"tel:+81312345678"),
]
DIFFERENT = [
    (b"SIP:ALICE@AtLanTa.CoM;Transport=udp", b"sip:alice@AtLanTa.CoM;Transport=UDP"),
    (b"sip:bob@biloxi.com", b"sip:bob@biloxi.com:5060"),
    (b"sip:bob@biloxi.com", b"sips:bob@biloxi.com"),
    (b"sip:bob@biloxi.com", b"sip:biloxi.com"),
    (b"sip:bob@biloxi.com", b"sip:bob:pw@biloxi.com"),
    (b"sip:bob@biloxi.com;transport=tcp", b"sip:bob@biloxi.com;transport=udp"),
    (b"sip:carol@chicago.com;security=on", b"sip:carol@chicago.com;security=off"),
    (b"sip:carol@chicago.com", b"sip:carol@chicago.com?Subject=next%20meeting"),
    (b"sip:bob@phone21.boxesbybob.com", b"sip:bob@192.0.2.4"),
    (b"sip:1@b;user=phone", b"sip:1@b"),
    (b"sip:1@b;maddr=239.1.1.1", b"sip:1@b"),
    (b"sip:1@b;ttl=1", b"sip:1@b"),
    (b"sip:%00@host5.example.com", b"sip:%00%00@host5.example.com"),  # RFC 4475 §3.1.1.5
    (b"sip:a%40b@c", b"sip:a@c"),
    (b"tel:110", b"sip:110@a"),
    (b"tel:110;phone-context=a", b"tel:110;phone-context=b"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_uris_are_equal_and_share_their_key(one, other):
    assert same_uri(parse_uri(one), parse_uri(other))
    assert same_uri(parse_uri(other), parse_uri(one))
    assert same_binding_key(parse_uri(one)) == same_binding_key(parse_uri(other))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_uris_are_different_both_ways(one, other):
    assert not same_uri(parse_uri(one), parse_uri(other))
    assert not same_uri(parse_uri(other), parse_uri(one))


def test_an_incomplete_escape_stays_as_it_is():
    assert unescape(b"a%4 %41%") == b"a%4 A%"


# Addresses


@pytest.mark.parametrize(
    ("value", "display", "uri", "params"),
    [
        (b"sip:a@b", b"", b"sip:a@b", {}),
        (b"sip:a@b;tag=1", b"", b"sip:a@b", {b"tag": b"1"}),
        (b"<sip:a@b;lr>;tag=1", b"", b"sip:a@b;lr", {b"tag": b"1"}),
        (b"Taro Yamada <sip:a@b>", b"Taro Yamada", b"sip:a@b", {}),
        (b'"Taro, \\"T\\" <x>"<sip:a@b> ; Tag = 1 ;x', b'Taro, "T" <x>', b"sip:a@b", {b"tag": b"1", b"x": b""}),
        (b'<sip:a@b>;+sip.instance="<u:1;2>";q=0.3', b"", b"sip:a@b", {b"+sip.instance": b"<u:1;2>", b"q": b"0.3"}),
        (b" sip:a@chair-dnrc.example.com ;   tag    = 19n", b"", b"sip:a@chair-dnrc.example.com", {b"tag": b"19n"}),
        (b"<isbn:2983792873>", b"", b"isbn:2983792873", {}),  # RFC 4475 §3.1.2.10: the scheme is judged by others
    ],
)
def test_addresses_of_every_form_are_read(value, display, uri, params):
    assert parse_address(value) == (display, uri, params)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"sip:",
        b"nothing",
        b'"Mr. J. User <sip:j.user@example.com>',  # RFC 4475 §3.1.2.6: quote not closed
        b'"Watson, Thomas" < sip:t.watson@example.org >',  # §3.1.2.14
        b"Bell, Alexander <sip:a.g.bell@example.com>;tag=43",  # §3.1.2.15
        b"sip:user@example.com?Route=%3Csip:sip.example.com%3E",  # §3.1.2.13: ? outside <>
        b"<sip:a@b",
        b"<sip:a@b> x",
        b"<sip:a@b>;",
        b"<sip:a@b>;tag=1;TAG=2",
        b'<sip:a@b>;tag="1',
        b"<sip:a@b>;tag=",
        b"<sip:a@b>;tag=1 2",
        b'"name" sip:a@b',
        b"<<sip:a@b>>",
    ],
)
def test_an_address_out_of_shape_is_refused(value):
    with pytest.raises(UriFault):
        parse_address(value)


def test_a_list_is_split_at_its_own_commas_only():
    value = b'"Lee, \\"B" <sip:a,b@c>;x="1,2" , sip:d@e;y , <sip:f@g>'
    assert split_addresses(value) == [b'"Lee, \\"B" <sip:a,b@c>;x="1,2"', b"sip:d@e;y", b"<sip:f@g>"]
    assert split_addresses(b"sip:a@b,sip:c@d") == [b"sip:a@b", b"sip:c@d"]


@pytest.mark.parametrize("value", [b"sip:a@b,", b",<sip:a@b>", b"<sip:a@b>,,<sip:c@d>", b'"a,<sip:a@b>', b"<sip:a@b,"])
def test_a_list_with_a_hole_or_an_open_end_is_refused(value):
    with pytest.raises(UriFault):
        split_addresses(value)


@given(st.binary())
def test_lists_and_addresses_of_noise_are_read_or_refused(noise):
    for value in (noise, b'"a" <' + noise, b"<sip:a@b>;" + noise):
        try:
            for part in split_addresses(value):
                parse_address(part)
        except UriFault:
            continue


NAMES = st.text("abcXYZ-.", min_size=1).map(str.encode)
VALUES = st.text(st.characters(codec="utf-8")).map(str.encode)


@given(st.dictionaries(NAMES.map(bytes.lower), VALUES), VALUES)
def test_what_is_quoted_comes_back(params, display):
    def quoted(text: bytes) -> bytes:
        return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'

    tail = b"".join(b";" + name + b"=" + quoted(value) for name, value in params.items())
    one = quoted(display) + b" <sip:a@b>" + tail
    assert parse_address(one) == (display, b"sip:a@b", params)
    assert split_addresses(one + b"," + one) == [one, one]
    if tail:
        assert parse_params(tail[1:]) == params

"""Via, tags, addresses, CSeq and lists, in the ordinary spelling and in the odd ones that RFC 3261 §25 allows."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from denwa.voip.sip.fields import (
    FieldFault,
    address_uri,
    cseq_of,
    delta_seconds,
    display_name,
    has_option,
    split_list,
    tag_of,
    top_via,
)

TEXT = st.text('ab ,;<>@\\"=:tag', max_size=12).map(str.encode)
QUOTED = TEXT.map(lambda text: b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"')
TOKEN = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=8).map(str.encode)
URI = st.builds(lambda user, host: b"sip:" + user + b"@" + host + b".example", TOKEN, TOKEN)
BLANK = st.sampled_from([b"", b" ", b"  ", b"\t"])


# -- lists ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.one_of(TOKEN, QUOTED, URI.map(lambda u: b"<" + u + b"?a=b,c>;q=1")), max_size=5), BLANK, BLANK)
def test_a_list_is_split_at_its_commas_and_not_at_those_inside_quotes_or_brackets(elements, before, after):
    assert split_list((before + b"," + after).join(elements)) == elements


def test_empty_elements_of_a_list_do_not_count():
    assert split_list(b" , a,, b ,") == [b"a", b"b"]
    assert split_list(b"  ") == []
    assert split_list(
        b'"a,',
    ) == [b'"a,']  # never closed: one element, no fault


@given(st.lists(st.sampled_from([b"timer", b"100rel", b"PATH", b"x-timer"]), max_size=4))
def test_an_option_tag_is_found_in_any_case_and_only_whole(tags):
    assert has_option([b" , ".join(tags)], b"path") == (b"PATH" in tags)
    assert has_option(tags, b"timer") == (b"timer" in tags)


# -- Via --------------------------------------------------------------------------------------------------------------


@given(
    st.sampled_from([b"UDP", b"TCP", b"TLS", b"WSS"]),
    st.sampled_from([b"192.0.2.1", b"192.0.2.1:5062", b"pc.example:5060", b"[2001:db8::9]", b"[2001:db8::9]:5070"]),
    TOKEN,
    st.booleans(),
    st.permutations([b"a", b"b"]),
    BLANK,
    st.booleans(),
)
def test_the_top_via_reads_alike_however_it_is_written(transport, sent_by, branch, rport, order, blank, cased):
    params = {b"a": (b"Branch=" if cased else b"branch=") + branch, b"b": b"rport" if rport else b"ttl=1"}
    tail = b"".join(b";" + params[name] for name in order)
    plain = b"SIP/2.0/" + transport + b" " + sent_by + tail
    odd = (
        b"SIP "
        + b"/ 2.0 / "
        + transport
        + b" "
        + blank
        + sent_by
        + tail.replace(b";", blank + b";" + blank).replace(b"=", blank + b"=" + blank)
    )
    for value in (plain, plain + b", SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKother", odd):
        via = top_via(value)
        assert (via.transport, via.sent_by, via.branch, via.rport) == (transport, sent_by, branch, rport)


def test_an_rport_with_a_value_asks_for_nothing():
    assert not top_via(b"SIP/2.0/UDP h;rport=5060").rport
    assert top_via(b"SIP/2.0/UDP h").branch == b""


@pytest.mark.parametrize("value", [b"", b"SIP/2.0/UDP", b"SIP/2.0/UDP ;branch=x", b"HTTP/1.1/T h", b"SIP/2.0 h", b","])
def test_a_via_that_cannot_be_read_is_a_fault(value):
    with pytest.raises(FieldFault):
        top_via(value)


# -- From and To ------------------------------------------------------------------------------------------------------


@given(st.one_of(st.just(b""), QUOTED, TOKEN), URI, TOKEN, TOKEN, st.booleans(), BLANK, st.booleans())
@example(b'";tag=x <sip:z@z>"', b"sip:a@b.example", b"real", b"p", False, b"", True)
def test_tag_uri_and_name_of_an_address_read_alike_however_it_is_written(name, uri, tag, other, first, blank, cased):
    tags = [b";" + blank + (b"Tag" if cased else b"tag") + blank + b"=" + blank + tag, b";p-" + other + b"=tag"]
    params = b"".join(tags if first else reversed(tags))
    value = name + b" <" + uri + b";tag=not-this>" + params if name else b"<" + uri + b";tag=not-this>" + params
    assert tag_of(value) == tag
    assert address_uri(value) == uri + b";tag=not-this"
    if not name.startswith(b'"'):
        assert display_name(value) == name


@given(TEXT)
def test_a_quoted_display_name_is_read_as_it_was_meant(text):
    quoted = b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    assert display_name(quoted + b" <sip:a@b.example>") == text
    assert display_name(quoted.replace(b"a", b"\\a")) == text  # any character may be escaped


@given(URI, TOKEN)
def test_in_an_address_without_brackets_the_parameters_are_the_header_s(uri, tag):
    assert tag_of(uri + b";tag=" + tag) == tag
    assert address_uri(uri + b";tag=" + tag) == uri
    assert tag_of(uri) == b""


@pytest.mark.parametrize("value", [b"<sip:a@b", b'"Name <sip:a@b>', b'"Name" sip:a@b', b'"a" <sip:b'])
def test_an_address_with_its_brackets_wrong_is_a_fault(value):
    with pytest.raises(FieldFault):
        address_uri(value)


# -- CSeq, seconds ----------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), TOKEN, st.sampled_from([b" ", b"  ", b"\t", b" \t "]))
def test_a_cseq_is_a_number_and_a_method_with_any_blanks_between(number, method, blank):
    assert cseq_of(b"%d" % number + blank + method) == (number, method)


@pytest.mark.parametrize("value", [b"", b"1", b"INVITE", b"INVITE 1", b"-1 INVITE", b"1.0 INVITE", b"1" * 11 + b" BYE"])
def test_a_cseq_without_number_or_method_is_a_fault(value):
    with pytest.raises(FieldFault):
        cseq_of(value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"90", 90),
        (b"1800;refresher=uac", 1800),
        (b" 60 ; x", 60),
        (b"0", 0),
        (b"4294967295", 2**31 - 1),
        (b"9" * 50, 2**31 - 1),
    ],
)
def test_seconds_are_read_without_their_parameters_and_capped(value, seconds):
    assert delta_seconds(value, "Expires") == seconds


@pytest.mark.parametrize("value", [b"", b"-1", b"soon", b"1.5", b"\xb2"])
def test_seconds_that_are_no_number_are_a_fault_that_names_the_header(value):
    with pytest.raises(FieldFault, match="Session-Expires"):
        delta_seconds(value, "Session-Expires")


# -- anything ---------------------------------------------------------------------------------------------------------


@given(st.one_of(st.binary(max_size=60), st.text('<>",;= \\:@abtagsip/2.0UDP;rport', max_size=40).map(str.encode)))
@example(b'"\\')
@example(b'"')
@example(b"<")
@example(b'"a" >')
@example(b",,")
@example(b'","')
@example(b"\xb2 INVITE")
def test_nothing_that_can_be_written_raises_anything_but_a_field_fault(value):
    for read in (top_via, address_uri, cseq_of, lambda v: delta_seconds(v, "X")):
        with suppress(FieldFault):
            read(value)
    assert isinstance(tag_of(value), bytes)
    assert isinstance(display_name(value), bytes)
    assert all(element == element.strip() and element for element in split_list(value))

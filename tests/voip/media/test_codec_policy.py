"""C3: which codecs go on, in which order, and what is refused. Descriptions in, descriptions out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denwa.contracts.subscriber import CodecPreference
from denwa.voip.media.codec_policy import NO_AUDIO, NO_CODEC, NO_FAX, CodecOrder, Role
from tests.voip.media.offers import EVERYTHING, HEAD, audio, changed, decide, formats, media_lines, passed

MAPS = {
    "97": "speex/8000", "98": "iLBC/8000", "96": "opus/48000/2", "99": "speex/16000", "100": "AMR/8000",
    "101": "telephone-event/8000", "102": "G726-32/8000", "103": "red/8000",
    "110": "PCMU/8000", "111": "G722/16000", "112": "GSM/8000/1", "113": "CN/16000", "114": "PCMU/16000",
    "115": "iLBC/8000/2", "116": "t38/8000", "117": "SPEEX/8000", "118": "PCMU/8000/2",
}  # fmt: skip
ALLOWED = {"0", "3", "9", "97", "98", "110", "111", "112", "117"}
BESIDE = {"13", "101", "113"}


def offer(payloads: str) -> str:
    used = payloads.split()
    return audio(payloads, *(f"rtpmap:{p} {MAPS[p]}" for p in used if p in MAPS))


# -- what stays (C3) ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "left"),
    [
        ("0", "0"),  # static types need no rtpmap (RFC 3551 §6)
        ("9 3 0", "9 3 0"),
        ("8 0", "0"),  # of G.711 the μ-law only
        ("0 8 18 4 15 2", "0"),
        ("18 97 98 3 0 9 8", "97 98 3 0 9"),  # the five, in the phone's order
        ("0 101 13", "0 101 13"),  # telephone-event and comfort noise stay
        ("101 8 0", "101 0"),  # where they stand
        ("99 97", "97"),  # Speex at 8 kHz only
        ("96 100 102 103 0", "0"),
        ("111 0", "111 0"),  # G.722 whose clock is written as it is
        ("112 117", "112 117"),  # one channel said; any case (RFC 8866 §6.6)
        ("114 118 115 110", "110"),  # another rate or two channels is another codec
        ("96 113 101 98", "113 101 98"),
        ("116 0", "0"),  # fax over RTP (RFC 4612)
        ("77 0", "0"),  # a dynamic type that nothing explains is nothing that could be allowed
    ],
)
def test_an_offer_keeps_the_five_codecs_and_what_stands_beside_them(offered, left):  # C3
    assert formats(passed(offer(offered))) == left.split()


def test_what_a_phone_with_everything_offers_is_cut_line_by_line():  # C3
    body = passed(EVERYTHING)
    assert formats(body) == ["97", "104", "3", "0", "9", "120", "121"]
    for line in EVERYTHING.splitlines():
        kept = line in body.splitlines()
        payload = line.partition(":")[2].split(" ")[0] if line.startswith(("a=rtpmap", "a=fmtp")) else ""
        assert kept == (payload not in {"98", "99", "8", "18"} and not line.startswith("m=")), line


@pytest.mark.parametrize(
    "body",
    [
        offer("0"), offer("97 98 3 0 9 101 13"), offer("98 101"),
        audio("0", "sendonly"), audio("0", "inactive"), audio("0", "recvonly"),  # hold (RFC 3264 §8.4)
        audio("0", head=HEAD.replace("192.0.2.1\r\nt", "0.0.0.0\r\nt")),  # hold as RFC 2543 had it
        audio("0 9", "ptime:20", "rtcp:40001", "candidate:1 1 UDP 1 192.0.2.1 40000 typ host", "ssrc:1 cname:x"),
        audio("0", "crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc", protocol="RTP/SAVP"),
        audio("0", port="40000/2"),
        HEAD,  # no stream at all, to be added later (RFC 3264 §5)
        audio("8", port="0"),  # a stream that is not wanted
        "", "\r\n", "v=0\nm=audio 4 RTP/AVP 0\n",  # bare LF (RFC 8866 §5)
    ],
)  # fmt: skip
@pytest.mark.parametrize("role", Role)
def test_what_is_within_the_policy_goes_on_byte_for_byte(body, role):
    decided = decide(body, role=role)
    assert (decided.refusal, decided.playable, decided.changes) == ("", True, ())


def test_hold_keeps_its_direction_and_address_when_codecs_go():
    body = passed(audio("8 0", "inactive", head=HEAD.replace("192.0.2.1\r\nt", "0.0.0.0\r\nt")))
    assert "a=inactive\r\n" in body
    assert "c=IN IP4 0.0.0.0\r\n" in body
    assert formats(body) == ["0"]


def test_bare_line_feeds_stay_bare():
    assert passed("v=0\nm=audio 4 RTP/AVP 8 0\na=rtpmap:8 PCMA/8000\n") == "v=0\nm=audio 4 RTP/AVP 0\n"


def test_a_static_type_with_another_meaning_is_not_believed():
    assert formats(passed(audio("8 0", "rtpmap:8 PCMU/8000"))) == ["0"]
    assert formats(passed(audio("0 3", "rtpmap:0 opus/48000"))) == ["0", "3"]


# -- what is refused (C3, N8) -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (offer("8 18"), NO_CODEC),
        (offer("96 101 13"), NO_CODEC),  # digits and noise are no conversation
        (offer("8") + "m=video 4002 RTP/AVP 34\r\n", NO_CODEC),
        (HEAD + "m=video 4002 RTP/AVP 34\r\n", NO_AUDIO),
        (HEAD + "m=message 4 TCP/MSRP *\r\n", NO_AUDIO),
        (HEAD + "m=image 40000 udptl t38\r\n", NO_FAX),  # N8
        (HEAD + "m=image 40000 TCP t38\r\n", NO_FAX),
        (HEAD + "m=audio 40000 udptl t38\r\n", NO_FAX),
        (offer("0") + "m=image 40002 udptl t38\r\n", NO_FAX),  # also besides sound
        (HEAD + "m=audio\r\n", "a media line that cannot be read"),
        (HEAD + "m=audio x RTP/AVP 0\r\n", "a media line that cannot be read"),
        (HEAD + "m=audio 4000/x RTP/AVP 0\r\n", "a media line that cannot be read"),
        (HEAD + "m=audio 4000 RTP/AVP\r\n", "a media line that cannot be read"),
    ],
)
def test_an_offer_without_a_common_codec_is_refused_with_the_reason(body, why):
    decided = decide(body)
    assert decided.refusal == why
    assert decide(body, role=Role.ANSWER).refusal == ""  # an answer cannot be


def test_a_fax_stream_that_is_already_refused_is_no_fax():  # N8
    body = offer("0") + "m=image 0 udptl t38\r\n"
    assert passed(body) == body


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    "other",
    [
        "m=video 4002 RTP/AVP 34\r\na=rtpmap:34 H263/90000\r\n",
        "m=text 4002 RTP/AVP 98\r\n",
        "m=application 4004 UDP/DTLS/SCTP webrtc-datachannel\r\n",
    ],
)
def test_other_media_get_port_0_in_their_place_and_audio_goes_on(other, role):  # RFC 3264 §6
    body = passed(offer("0 8") + other, role=role)
    first, second = media_lines(body)
    assert first == "m=audio 40000 RTP/AVP 0"
    words = other.splitlines()[0].split()
    assert second.split() == [words[0], "0", *words[2:]]
    assert body.endswith(other.partition("\r\n")[2])


def test_each_of_several_audio_streams_is_filtered_and_an_empty_one_refused():
    second = "m=audio 40002 RTP/AVP 8 18\r\na=sendonly\r\n"
    third = "m=audio 40004 RTP/AVP 8 3\r\na=rtpmap:8 PCMA/8000\r\n"
    body = passed(offer("8 0") + second + third)
    assert media_lines(body) == ["m=audio 40000 RTP/AVP 0", "m=audio 0 RTP/AVP 8 18", "m=audio 40004 RTP/AVP 3"]
    assert "a=sendonly\r\n" in body
    assert "PCMA" not in body


def test_a_refused_stream_leaves_its_bundle():  # RFC 9143 §7.3
    head = HEAD + "a=group:BUNDLE 0 1\r\na=group:LS 1\r\n"
    bundled = (
        audio("0", "mid:0", head=head) + "m=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=mid:1\r\na=bundle-only\r\n"
    )
    body = passed(bundled)
    assert "a=group:BUNDLE 0\r\n" in body
    assert "a=group:LS" not in body
    assert "bundle-only" not in body
    assert media_lines(body)[1] == "m=video 0 RTP/AVP 96"


# -- order (C3) ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "offered", "left"),
    [
        (CodecOrder.PHONE, "0 9 98 3 97 101", "0 9 98 3 97 101"),
        (CodecOrder.MOBILE, "0 9 97 3 98 101", "98 3 97 0 9 101"),
        (CodecOrder.MOBILE, "9 0 101 97", "97 9 0 101"),
        (CodecOrder.MOBILE, "9 8 0", "9 0"),  # equals keep the phone's order
        (CodecOrder.WIFI, "97 98 3 0 9 101", "9 0 97 98 3 101"),
        (CodecOrder.WIFI, "3 98 0", "0 3 98"),
        (CodecOrder.WIFI, "98 97", "98 97"),
    ],
)
def test_the_subscribers_setting_decides_the_order(order, offered, left):  # C3
    assert formats(passed(offer(offered), order)) == left.split()
    assert formats(passed(offer(offered), order, Role.ANSWER)) == left.split()


def test_every_value_of_the_subscribers_setting_is_an_order():
    assert {str(order) for order in CodecOrder} == {str(setting) for setting in CodecPreference}


# -- answers ------------------------------------------------------------------------------------------------------


def test_an_answer_outside_of_its_offer_is_for_the_phones_to_settle():
    assert passed(offer("8"), role=Role.ANSWER) == offer("8")
    assert formats(passed(offer("8 0"), role=Role.ANSWER)) == ["0"]


def test_an_answer_may_leave_the_rtpmap_to_the_offer():
    body = audio("97 101")
    assert passed(body, CodecOrder.MOBILE, Role.ANSWER) == body


# -- iLBC (RFC 3952 §5) -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "mode"),
    [(["rtpmap:98 iLBC/8000", "fmtp:98 mode=20"], 20), (["rtpmap:98 iLBC/8000", "fmtp:98 mode=30"], 30),
     (["rtpmap:98 iLBC/8000"], 30), (["rtpmap:98 iLBC/8000", "fmtp:98 x=1; MODE = 20"], 20),
     (["rtpmap:98 iLBC/8000", "rtpmap:99 iLBC/8000", "fmtp:98 mode=20"], 0), (["rtpmap:98 speex/8000"], 0)],
)  # fmt: skip
def test_the_mode_of_an_offer_is_known(attributes, mode):
    assert decide(audio("98 99 0", *attributes)).ilbc_modes == (mode,)


@pytest.mark.parametrize(
    ("offered", "answered", "told"),
    [
        (30, "mode=20", "mode=30"),
        (20, "mode=20", "mode=20"),
        (20, "mode=30", "mode=30"),
        (30, "mode=30", "mode=30"),
        (0, "mode=20", "mode=20"),
    ],
)
def test_both_sides_read_the_slower_of_two_ilbc_modes(offered, answered, told):
    body = audio(
        "98 101", "rtpmap:98 iLBC/8000", f"fmtp:98 {answered}", "rtpmap:101 telephone-event/8000", "fmtp:101 0-15"
    )
    said = passed(body, role=Role.ANSWER, modes=(offered,))
    assert said == body.replace(answered, told)


# -- anything -----------------------------------------------------------------------------------------------------

PAYLOADS = st.lists(
    st.sampled_from([*MAPS, "0", "3", "4", "8", "9", "13", "18", "77"]), min_size=1, max_size=14, unique=True
)
MEDIA = st.sampled_from(["audio", "audio", "audio", "video", "image", "text", "AUDIO"])
PORTS = st.sampled_from(["40000", "0", "40000/2", "00", "x", ""])
PROTOCOLS = st.sampled_from(["RTP/AVP", "RTP/AVP", "RTP/SAVPF", "udptl", "TCP"])


@st.composite
def stream(draw) -> str:
    payloads = draw(PAYLOADS)
    lines = [f"m={draw(MEDIA)} {draw(PORTS)} {draw(PROTOCOLS)} {' '.join(payloads)}"]
    lines += [f"a=rtpmap:{p} {MAPS[p]}" for p in payloads if p in MAPS and draw(st.integers(0, 9))]
    lines += [f"a=fmtp:{p} mode={draw(st.sampled_from([20, 30]))}" for p in payloads if draw(st.booleans())]
    lines += draw(st.lists(st.sampled_from(["a=sendonly", "a=bundle-only", "a=mid:1", "a=rtcp-fb:97 nack", "b=AS:1"])))
    return "\r\n".join(lines) + "\r\n"


BODIES = st.lists(stream(), max_size=4).map(lambda streams: HEAD + "a=group:BUNDLE 1 2\r\n" + "".join(streams))


@given(BODIES, st.sampled_from(CodecOrder), st.sampled_from(Role))
def test_whatever_is_offered_nothing_is_added_and_nothing_forbidden_stays(body, order, role):  # C3
    decided = decide(body, order, role)
    if decided.refusal:
        return
    out = changed(body, decided)
    before, after = media_lines(body), media_lines(out)
    assert len(before) == len(after)
    for at, new in enumerate(after):
        left, offered = formats(out, at), formats(body, at)
        assert set(left) <= set(offered)
        if order is CodecOrder.PHONE:
            assert left == [payload for payload in offered if payload in left]
        media, port = new.split()[:2]
        if role is Role.OFFER and port.strip("0"):
            assert media.lower() == "m=audio"
            assert set(left) <= ALLOWED | BESIDE
            assert set(left) & ALLOWED


@given(BODIES, st.sampled_from(CodecOrder), st.sampled_from(Role), st.tuples(st.sampled_from([0, 20, 30])))
def test_every_other_line_goes_on_as_it_came_in_its_place(body, order, role, modes):
    out = changed(body, decide(body, order, role, modes))
    came = iter(body.split("\n"))
    for line in out.split("\n"):
        if not line.startswith(("m=", "a=group", "a=fmtp")):
            assert line in came  # and nothing before it comes later


@given(BODIES, st.sampled_from(CodecOrder), st.sampled_from(Role))
def test_what_the_policy_let_through_it_lets_through_again_unchanged(body, order, role):
    decided = decide(body, order, role)
    if decided.refusal:
        return
    once = changed(body, decided)
    assert changed(once, decide(once, order, role)) == once


PIECES = st.sampled_from(
    ["m=", "a=rtpmap:", "a=fmtp:", " ", "audio", "0", "\r\n", "\n", "RTP/AVP", "\r", "a=mid:", "é"]
)


@given(st.text() | st.lists(PIECES).map("".join), st.sampled_from(CodecOrder), st.sampled_from(Role))
def test_no_text_breaks_the_policy(body, order, role):
    decided = decide(body, order, role)
    out = changed(body, decided)
    assert out.count("m=") <= body.count("m=")

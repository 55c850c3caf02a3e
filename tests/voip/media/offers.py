"""Session descriptions as phones write them, and the policy put on them."""

from __future__ import annotations

from denwa.voip.media.codec_policy import CodecOrder, Plan, Role, plan
from denwa.voip.media.sdp import edit, essence

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
# What a pjsua2 phone offers that has everything switched on.
EVERYTHING = (
    HEAD + "m=audio 4000 RTP/AVP 98 97 99 104 3 0 8 9 18 120 121\r\na=rtcp:4001 IN IP4 192.0.2.1\r\n"
    "a=rtpmap:98 speex/16000\r\na=rtpmap:97 speex/8000\r\na=rtpmap:99 speex/32000\r\n"
    "a=rtpmap:104 iLBC/8000\r\na=fmtp:104 mode=30\r\na=rtpmap:3 GSM/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:8 PCMA/8000\r\na=rtpmap:9 G722/8000\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n"
    "a=rtpmap:120 telephone-event/8000\r\na=fmtp:120 0-16\r\na=rtpmap:121 telephone-event/16000\r\n"
    "a=fmtp:121 0-16\r\na=ssrc:1433 cname:4a\r\na=sendrecv\r\n"
)


def audio(formats: str, *attributes: str, port: str = "40000", head: str = HEAD, protocol: str = "RTP/AVP") -> str:
    """A description of one audio stream."""
    return f"{head}m=audio {port} {protocol} {formats}\r\n" + "".join(f"a={line}\r\n" for line in attributes)


def decide(
    body: str, order: CodecOrder = CodecOrder.PHONE, role: Role = Role.OFFER, modes: tuple[int, ...] = ()
) -> Plan:
    return plan(essence(body.encode()), order, role, modes)


def passed(
    body: str, order: CodecOrder = CodecOrder.PHONE, role: Role = Role.OFFER, modes: tuple[int, ...] = ()
) -> str:
    """The body as it goes on. Raises AssertionError when it is refused."""
    decided = decide(body, order, role, modes)
    assert not decided.refusal, decided.refusal
    return changed(body, decided)


def changed(body: str, decided: Plan) -> str:
    if not decided.changes:
        return body
    return edit(body.encode(), decided.changes, decided.refused_mids).decode()


def formats(body: str, stream: int = 0) -> list[str]:
    """The payload types of a stream, in order."""
    return media_lines(body)[stream].split()[3:]


def media_lines(body: str) -> list[str]:
    return [line for line in body.splitlines() if line.startswith("m=")]

"""Entries for the journal's tests."""

from __future__ import annotations

from denwa.voip.calls.journal import AliveEntry, BindingEntry, CallEntry, EndEntry

NOW = 1_795_000_000_000
ID = NOW << 20


def call(number: int, *, answered: bool = True, ended: bool = False, **more: object) -> CallEntry:
    """An answered call that goes on, an ended one, or one that nobody answered."""
    entry = CallEntry(
        id=ID + number,
        call_id=f"call-{number}@phone",
        leg="outgoing",
        subscriber="+815050010001",
        direction="outgoing",
        caller="+815050010001",
        callee="+81312345678",
        number_class="fixed",
        started_at=NOW,
        answered_at=NOW + 500 if answered else None,
        ended_at=NOW + 900 if ended or not answered else None,
        duration_ms=400 if answered and ended else 0,
        end_cause="" if answered and not ended else ("caller" if answered else "busy"),
        sip_status=200 if answered else 486,
        forwarded_by="",
        voicemail=0,
        alive_at=NOW + 500 if answered else None,
        dialog='{"up":true}' if answered and not ended else "",
    )
    return entry._replace(**more)  # type: ignore[arg-type]


def end(number: int, ended_at: int = NOW + 60_500, cause: str = "callee") -> EndEntry:
    return EndEntry(ID + number, ended_at, ended_at - NOW - 500, cause, 200)


def alive(number: int, alive_at: int, dialog: str = '{"up":"still"}') -> AliveEntry:
    return AliveEntry(ID + number, alive_at, dialog)


def binding(number: int, *, device: int = 1, registered_at: int = NOW, seconds: int = 600) -> BindingEntry:
    return BindingEntry(
        aor=f"{number:08d}",
        contact=f"sip:{number:08d}@192.0.2.{device}:5060",
        call_id="reg",
        cseq=registered_at - NOW + 1,
        registered_at=registered_at,
        expires_at=registered_at + seconds * 1000,
        flow=f"udp:192.0.2.{device}:5060",
        user_agent="電話/1",
        extra='{"params":";x=\\"1\\""}',
    )

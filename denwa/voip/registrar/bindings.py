"""What a REGISTER does to the bindings of one subscriber (RFC 3261 §10.3; service rules R1, R2, R3). Pure.

All or nothing: the outcome is the whole new list, or a rejection that changes nothing. The device that registered last
has the greatest `registered_at`; a refresh counts as registering, and no two bindings share one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from denwa.voip.calls.journal import BindingEntry
from denwa.voip.push.parameters import push_device
from denwa.voip.sip.uri import SipUri, UriFault, parse_address, parse_params, parse_uri, same_uri, split_addresses

Binding: TypeAlias = BindingEntry

STAR = b"*"
LONGEST_CONTACT = 1024
_LONGEST_TEXT = 255
_MAX_SECONDS = 2**32 - 1  # RFC 3261 §20.19
_TOKEN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~:[]"


class ContactRequest(NamedTuple):
    """One Contact of a REGISTER, with the expiry it asks for in whole seconds (None: the service chooses)."""

    uri: bytes  # as written; b"*" for all
    text: str  # `uri` for storage
    expires: int | None
    quality: int  # q in thousandths, 0..1000
    params: str  # the other parameters as `;name=value…`, given back in every answer
    instance: bytes  # +sip.instance (RFC 5626), b"" when absent
    reg_id: int  # 0 when absent


class BindingPolicy(NamedTuple):
    """Seconds, and the number of bindings a subscriber may have."""

    default_expires: int
    min_expires: int
    max_expires: int
    max_bindings: int
    push_expires: int = 0  # longest for a phone that can be woken (R5); 0: nobody is

    def longest(self, contact: bytes) -> int:
        """Seconds granted to this contact at most."""
        return self.push_expires if self.push_expires and push_device(contact.decode()) else self.max_expires


class Asked(NamedTuple):
    """What a REGISTER says besides its contacts. `flow`: where the device is called; `now_ms`: when it came."""

    aor: str
    call_id: str
    cseq: int
    now_ms: int
    flow: str
    user_agent: str
    path: tuple[bytes, ...] = ()


class PlainContact(NamedTuple):
    uri: bytes
    text: str
    seconds: int  # granted


class Outcome(NamedTuple):
    """`bindings`: those in force, oldest registration first. `changed` are to be stored, `removed` deleted."""

    bindings: list[Binding]
    changed: list[Binding]
    removed: list[Binding]


class Rejection(NamedTuple):
    status: int
    reason: bytes
    headers: list[bytes]


class Extra(NamedTuple):
    """What `Binding.extra` keeps besides: header parameters as written, and the Path (RFC 3327) towards the device."""

    params: bytes
    path: tuple[bytes, ...]


def read_contacts(values: Iterable[bytes], expires: bytes | None) -> list[ContactRequest]:
    """Read the values of all Contact headers and of Expires. Raises UriFault: the request is to get a 400.

    A malformed Expires counts as absent, a malformed `expires` parameter too (RFC 3261 §20.10, §20.19).
    """
    general = None if expires is None else _seconds(expires.strip())
    contacts: list[ContactRequest] = []
    for value in values:
        for part in split_addresses(value):
            read = _read_contact(part)
            contacts.append(read if read.expires is not None or general is None else read._replace(expires=general))
    return contacts


def _read_contact(value: bytes) -> ContactRequest:
    if value == STAR:
        return ContactRequest(STAR, "*", None, 1000, "", b"", 0)
    if len(value) > LONGEST_CONTACT:
        raise UriFault("Contact too long")
    _, uri, params = parse_address(value)
    if not isinstance(parse_uri(uri), SipUri):
        raise UriFault("Contact is no SIP URI")
    kept = b"".join(_param(name, text) for name, text in params.items() if name != b"expires")
    try:
        text, kept_text = uri.decode(), kept.decode()
    except UnicodeDecodeError:
        raise UriFault("Contact is not UTF-8") from None
    if "\x00" in kept_text:
        raise UriFault("Contact with a null character")
    reg_id = params.get(b"reg-id", b"")
    return ContactRequest(
        uri,
        text,
        _seconds(params.get(b"expires", b"")),
        _quality(params.get(b"q", b"")),
        kept_text,
        params.get(b"+sip.instance", b""),
        int(reg_id) if reg_id.isdigit() and len(reg_id) < 10 else 0,
    )


def _param(name: bytes, value: bytes) -> bytes:
    if not value:
        return b";" + name
    if value.translate(None, _TOKEN):
        return b';%b="%b"' % (name, value.replace(b"\\", b"\\\\").replace(b'"', b'\\"'))
    return b";%b=%b" % (name, value)


def _seconds(text: bytes) -> int | None:
    if not text.isdigit():
        return None
    return min(int(text), _MAX_SECONDS) if len(text) <= 20 else _MAX_SECONDS


def _quality(text: bytes) -> int:
    """q as thousandths; 1000 when absent or malformed (RFC 3261 §25.1 qvalue)."""
    whole, _, fraction = text.partition(b".")
    if whole not in (b"0", b"1") or (fraction and not fraction.isdigit()) or len(fraction) > 3:
        return 1000
    return min(int(whole) * 1000 + int((fraction + b"000")[:3]), 1000)


def apply_register(
    current: Sequence[Binding], contacts: Sequence[ContactRequest], asked: Asked, policy: BindingPolicy
) -> Outcome | Rejection:
    """Decide on one authenticated REGISTER (RFC 3261 §10.3 steps 6 to 8).

    `current`: the bindings of the AOR, in any order, expired ones too. No contacts: nothing is asked for but the list.
    When more bindings are asked for than the policy allows, those that registered longest ago go. A request that comes
    a second time finds its bindings: they are `changed` as they are, because what it did the first time may not be on
    disk yet.
    """
    live = {binding.contact: binding for binding in current if binding.expires_at > asked.now_ms}
    if contacts and all(_is_done(live.get(contact.text), contact, asked) for contact in contacts):
        done = [live[contact.text] for contact in contacts]
        return Outcome(sorted(live.values(), key=_registered_at), done, [])
    if any(contact.uri == STAR for contact in contacts):
        return _refuse_star(contacts, live, asked) or Outcome([], [], list(current))
    return _apply(current, live, contacts, asked, policy)


def refresh(
    known: Binding, contact: bytes, expires: bytes | None, asked: Asked, policy: BindingPolicy
) -> Binding | None:
    """The binding that a subscriber's one device refreshes from where it was, which is nearly every REGISTER.

    The same as `apply_register` decides; None when it is not that simple. `contact`, `expires`: the headers' values.
    """
    if known.extra or asked.path:
        return None
    plain = plain_contact(contact, expires, policy)
    if plain is None or plain.text != known.contact:
        return None
    _, call_id, cseq, now_ms, flow, agent, _ = asked
    if known.cseq >= cseq and known.call_id == call_id:
        return None
    moment = now_ms if known.registered_at < now_ms else known.registered_at + 1
    expires_at = now_ms + plain.seconds * 1000
    # A NamedTuple's own constructor is a Python function.
    return tuple.__new__(BindingEntry, (known.aor, known.contact, call_id, cseq, moment, expires_at, flow, agent, ""))


def first(contact: PlainContact, asked: Asked) -> Binding:
    """The binding of a subscriber's only device, as `apply_register` makes it of a Contact without parameters."""
    expires_at = asked.now_ms + contact.seconds * 1000
    return BindingEntry(
        asked.aor, contact.text, asked.call_id, asked.cseq, asked.now_ms, expires_at, asked.flow, asked.user_agent, ""
    )


def plain_contact(contact: bytes, expires: bytes | None, policy: BindingPolicy) -> PlainContact | None:
    """One Contact with nothing to it but how long it lasts, which is nearly every one; None for others, also for those
    that come to nothing. `contact`, `expires`: the headers' values. The URI may still be none."""
    plain = _plain_contact(contact) if len(contact) <= LONGEST_CONTACT else None
    if plain is None:
        return None
    uri, own = plain.groups()
    lasts = own or expires
    if lasts is None:
        seconds = policy.default_expires
    elif lasts.isdigit() and len(lasts) < 10:
        seconds = int(lasts)
    else:
        return None
    if seconds < policy.min_expires:
        return None
    most = policy.longest(uri) if policy.push_expires else policy.max_expires
    return tuple.__new__(PlainContact, (uri, uri.decode(), min(seconds, most)))


_plain_contact = re.compile(rb"<(sips?:[\w.!~*'()&=+$,;?/%:@\[\]-]+)>(?:;expires=(\d+))?", re.ASCII).fullmatch


def _apply(
    current: Sequence[Binding],
    live: dict[str, Binding],
    contacts: Sequence[ContactRequest],
    asked: Asked,
    policy: BindingPolicy,
) -> Outcome | Rejection:
    if sum(map(len, asked.path)) > LONGEST_CONTACT:
        return Rejection(400, b"Path Too Long", [])
    wanted = _wanted(contacts, policy)
    if isinstance(wanted, Rejection):
        return wanted
    table = dict(live)
    changed: dict[str, Binding] = {}
    moment = asked.now_ms
    for binding in current:
        if binding.registered_at >= moment:
            moment = binding.registered_at + 1
    for contact, seconds in wanted:
        replaced = _same_binding(live, contact)
        for known in replaced:
            if known.call_id == asked.call_id and known.cseq >= asked.cseq:
                # RFC 3261 §10.3 step 7 asks for failure without a code; 500 is that of §12.2.2 for the same fault.
                return Rejection(500, b"CSeq Out Of Order", [])
            table.pop(known.contact, None)
        for known in _same_binding(changed, contact):
            del changed[known.contact]
            table.pop(known.contact, None)  # gone already when it stood in `live` too
        if seconds:
            table[contact.text] = changed[contact.text] = _binding(contact, asked, moment, seconds)
            moment += 1
    if len(table) > policy.max_bindings:
        if len(changed) > policy.max_bindings:
            return Rejection(403, b"Too Many Contacts", [])
        _make_room(table, changed, policy.max_bindings)
    bindings = sorted(table.values(), key=_registered_at)
    removed = [binding for binding in current if binding.contact not in table]
    return Outcome(bindings, list(changed.values()), removed)


def _binding(contact: ContactRequest, asked: Asked, moment: int, seconds: int) -> Binding:
    extra = _extra(contact.params, asked.path) if contact.params or asked.path else ""
    expires_at = asked.now_ms + seconds * 1000
    return BindingEntry(
        asked.aor, contact.text, asked.call_id, asked.cseq, moment, expires_at, asked.flow, asked.user_agent, extra
    )


def _is_done(known: Binding | None, contact: ContactRequest, asked: Asked) -> bool:
    return known is not None and contact.expires != 0 and known.call_id == asked.call_id and known.cseq == asked.cseq


def _make_room(table: dict[str, Binding], changed: dict[str, Binding], allowed: int) -> None:
    """Take the bindings that registered longest ago out of `table`, none of `changed`."""
    older = sorted((known for known in table.values() if known.contact not in changed), key=_registered_at)
    for known in older[: len(table) - allowed]:
        del table[known.contact]


def _refuse_star(contacts: Sequence[ContactRequest], live: dict[str, Binding], asked: Asked) -> Rejection | None:
    if len(contacts) != 1 or contacts[0].expires != 0:
        return Rejection(400, b"Contact * Stands Alone With Expires 0", [])
    if any(binding.call_id == asked.call_id and binding.cseq >= asked.cseq for binding in live.values()):
        return Rejection(500, b"CSeq Out Of Order", [])
    return None


def _wanted(contacts: Sequence[ContactRequest], policy: BindingPolicy) -> list[tuple[ContactRequest, int]] | Rejection:
    """Contacts with the seconds granted, the preferred one last (it registers last)."""
    wanted: list[tuple[ContactRequest, int]] = []
    for contact in contacts:
        seconds = policy.default_expires if contact.expires is None else contact.expires
        if 0 < seconds < policy.min_expires:
            return Rejection(423, b"Interval Too Brief", [b"Min-Expires: %d" % policy.min_expires])
        wanted.append((contact, min(seconds, policy.longest(contact.uri))))
    if len(wanted) > 1:
        wanted.sort(key=lambda pair: pair[0].quality)
    return wanted


def _same_binding(table: dict[str, Binding], contact: ContactRequest) -> list[Binding]:
    """The bindings that `contact` replaces: equal URI, or same instance and flow number (RFC 5626 §6)."""
    if not table:
        return []
    known = table.get(contact.text)
    if known is not None and len(table) == 1:
        return [known]
    uri = parse_uri(contact.uri)
    flow = (contact.instance, b"%d" % contact.reg_id) if contact.instance and contact.reg_id else None
    device = push_device(contact.text) if flow is None else None  # the same push identity is the same phone
    return [
        binding
        for binding in table.values()
        if binding.contact == contact.text
        or same_uri(parse_uri(binding.contact.encode()), uri)
        or (flow is not None and _instance(binding) == flow)
        or (device is not None and push_device(binding.contact) == device)
    ]


def _instance(binding: Binding) -> tuple[bytes | None, bytes | None]:
    kept = read_extra(binding.extra).params
    params = parse_params(kept[1:]) if kept else {}
    return params.get(b"+sip.instance"), params.get(b"reg-id")


def _registered_at(binding: Binding) -> int:
    return binding.registered_at


def storable_text(raw: bytes) -> str:
    """Text of a stranger, bounded, as a database takes it."""
    return raw[:_LONGEST_TEXT].decode("utf-8", "replace").replace("\x00", "")


agent_text = lru_cache(maxsize=1024)(storable_text)  # few programs, many phones: one text for all bindings


@lru_cache(maxsize=2048)
def _extra(params: str, path: tuple[bytes, ...]) -> str:
    kept: dict[str, object] = {}
    if params:
        kept["params"] = params
    if path:
        kept["path"] = [part.decode("utf-8", "replace") for part in path]
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=2048)
def read_extra(extra: str) -> Extra:
    """Read `Binding.extra`."""
    kept = json.loads(extra) if extra else {}
    return Extra(kept.get("params", "").encode(), tuple(part.encode() for part in kept.get("path", ())))


def newest(bindings: Iterable[Binding], now_ms: int) -> Binding | None:
    """The binding that rings (R2): the last to register of those in force; None when there is none (R3)."""
    return max((b for b in bindings if b.expires_at > now_ms), key=_registered_at, default=None)


def contact_line(binding: Binding, now_ms: int) -> bytes:
    """The Contact header of a 200 (RFC 3261 §10.3 step 8): remaining seconds rounded up."""
    params = read_extra(binding.extra).params if binding.extra else b""
    return b"Contact: <%b>%b;expires=%d" % (binding.contact.encode(), params, -((now_ms - binding.expires_at) // 1000))

"""What the caller of a forwarded call may not see: where it went. That number is the business of who forwards.

Everything that the target sends has our own address for its Contact; what the caller sends there goes to the target.
"""

from __future__ import annotations

from denwa.voip.calls.call import Call
from denwa.voip.context import Context
from denwa.voip.proxy.history import forget
from denwa.voip.proxy.identity import strip_claims
from denwa.voip.sip.fields import FieldFault, address_uri
from denwa.voip.sip.message import CONTACT, Message


def screen(ctx: Context, message: Message) -> None:
    """Take off a request or response of the target what names it."""
    strip_claims(message)
    forget(message)
    if CONTACT in message.at:
        message.replace(CONTACT, ctx.hidden_contact)


def find_target(ctx: Context, call: Call, request: Message) -> None:
    """Address a request of the caller to the target itself."""
    if call.callee.contact and request.uri.startswith(ctx.hidden_uri):
        request.uri = call.callee.contact
        request.lines[0] = request.method + b" " + request.uri + b" SIP/2.0"


def note_target(ctx: Context, call: Call, response: Message) -> None:
    """A provisional response may already name a remote target (RFC 3262 §3, RFC 3311)."""
    try:
        call.callee.contact = address_uri(response.value(CONTACT) or b"") or call.callee.contact
    except FieldFault:
        ctx.note("a provisional response with a Contact that cannot be read")

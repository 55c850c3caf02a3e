"""Phones with a mind of their own: they repeat what is not answered, answer what is repeated, and forget nothing.

The network between them and the engine belongs to the test.
"""

from __future__ import annotations

from denwa.voip.sip.message import CALL_ID, CSEQ, TO, VIA, Message
from tests.voip.wire import SDP, Phone, Talk, answer, text_of

Out = list[str]


class Order:
    """The highest CSeq that the other side has used in a dialog. A phone refuses what comes after it with a lower or
    the same number (RFC 3261 §12.2.2), but for what it has had already."""

    def __init__(self, number: int = -1) -> None:
        self._highest = number
        self._had: set[str] = set()

    def is_broken_by(self, request: Message) -> bool:
        branch = text_of(request, VIA).split(",")[0]
        if branch in self._had:
            return False
        number = int(text_of(request, CSEQ).split()[0])
        if number <= self._highest:
            return True
        self._highest = number
        self._had.add(branch)
        return False


class Caller:
    """Calls once. `state`: idle, calling, cancelling, up, over."""

    def __init__(self, phone: Phone, callee: str, authorization: str, call_id: str) -> None:
        self.phone = phone
        self.call_id = call_id
        uri = f"sip:{callee}@denwa.example"
        self._invite = phone.request(
            "INVITE", uri, to=f"<{uri}>", call_id=call_id, cseq=2, extra=authorization, body=SDP,
            branch=f"z9hG4bKcaller{call_id}",
        )  # fmt: skip
        self._cancel = self._part("CANCEL")
        self.state = "idle"
        self.answered = False
        self.stubborn = 0  # refuses so many BYEs and talks on
        self.talk: Talk | None = None
        self._unanswered: Out = []
        self._provisional = False
        self._order = Order()

    def _part(self, method: str, to: str = "") -> str:
        lines = self._invite.partition("\r\n\r\n")[0].split("\r\n")
        kept = [line for line in lines[1:] if line.split(":")[0] in ("Via", "From", "Call-ID", "Max-Forwards")]
        to = to or next(line for line in lines if line.startswith("To:"))
        first = lines[0].replace("INVITE", method)
        return "\r\n".join([first, *kept, to, f"CSeq: 2 {method}", "Content-Length: 0\r\n\r\n"])

    def call(self) -> Out:
        if self.state != "idle":
            return []
        self.state = "calling"
        self._unanswered = [self._invite]
        return [self._invite]

    def cancel(self) -> Out:
        if self.state != "calling" or not self._provisional:
            return []
        self.state = "cancelling"
        self._unanswered = [self._cancel]
        return [self._cancel]

    def hang_up(self) -> Out:
        if self.state != "up" or self.talk is None:
            return []
        self.state = "over"
        self._unanswered = [self.talk.text("BYE")]
        return list(self._unanswered)

    def repeat(self) -> Out:
        return list(self._unanswered)

    def receive(self, message: Message) -> Out:
        if message.method:
            return self._request(message)
        method = text_of(message, CSEQ).split()[1]
        if method == "INVITE":
            return self._answered(message)
        if message.status >= 200:
            self._unanswered = []
        return []

    def _answered(self, message: Message) -> Out:
        if message.status < 200:
            self._provisional = True
            if self.state == "calling":
                self._unanswered = []
            return []
        if message.status >= 300:
            if self.state in ("calling", "cancelling"):
                self.state = "over"
                self._unanswered = []
            return [self._part("ACK", f"To: {text_of(message, TO)}")]
        first, self.answered = not self.answered, True
        if self.talk is None:
            self.talk = Talk.of_caller(self.phone, message)
        out = [self.talk.text("ACK", cseq=2)]
        if first:
            gave_up, self.state, self._unanswered = self.state == "cancelling", "up", []
            if gave_up:
                out += self.hang_up()
        return out

    def _request(self, message: Message) -> Out:
        if message.method == b"ACK":
            return []
        known = self.state == "up"
        if known and self._order.is_broken_by(message):
            return [answer(message, 500, self.phone.peer)]
        if message.method == b"OPTIONS":
            return [answer(message, 200 if known else 481, self.phone.peer)]
        if message.method == b"BYE":
            if known and self.stubborn:
                self.stubborn -= 1
                return [answer(message, 500, self.phone.peer)]
            self.state, self._unanswered = "over", []
        return [answer(message, 200 if known else 481, self.phone.peer)]


class Callee:
    """Takes what comes. By Call-ID: the INVITE as it got it, its last answer, whether it is up. Like a phone, it says a
    refusal again until somebody has acknowledged it (RFC 3261 §17.2.1)."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.calls: dict[str, dict] = {}
        self.stubborn = 0  # refuses so many BYEs and talks on

    def _say(self, call: dict, status: int) -> Out:
        body = SDP if status == 200 else ""
        call["last"] = answer(call["invite"], status, self.phone.peer, body=body, contact=self.phone.contact)
        call["state"] = {180: "ringing", 200: "unacknowledged"}.get(status, "over")
        call["refused"] = status >= 300
        return [call["last"]]

    def _choose(self, state: str) -> dict | None:
        return next((call for call in self.calls.values() if call["state"] == state), None)

    def pick_up(self) -> Out:
        call = self._choose("ringing")
        return self._say(call, 200) if call else []

    def reject(self, status: int = 486) -> Out:
        call = self._choose("ringing")
        return self._say(call, status) if call else []

    def fail(self) -> Out:
        return self.reject(503)

    def hang_up(self, state: str = "up") -> Out:
        call = self._choose(state)
        if call is None:
            return []
        call["state"] = "over"
        call["bye"] = [Talk.of_callee(self.phone, call["invite"]).text("BYE")]
        return list(call["bye"])

    def repeat(self) -> Out:
        out: Out = []
        for call in self.calls.values():
            if call["state"] == "unacknowledged" or call["refused"]:
                out.append(call["last"])
            out += call.get("bye", [])
        return out

    def receive(self, message: Message) -> Out:
        call_id = text_of(message, CALL_ID)
        call = self.calls.get(call_id)
        if not message.method:
            if call and message.status >= 200:
                call["bye"] = []
            return []
        if message.method == b"INVITE":
            return self._invited(call_id, call, message)
        if call is None:
            return [] if message.method == b"ACK" else [answer(message, 481, self.phone.peer)]
        if message.method == b"ACK":
            call["refused"] = False
            if call["state"] == "unacknowledged":
                call["state"] = "up"
            return []
        if message.method == b"CANCEL":
            return [
                answer(message, 200, self.phone.peer),
                *(self._say(call, 487) if call["state"] == "ringing" else []),
            ]
        known = call["state"] in ("up", "unacknowledged")
        if known and call["order"].is_broken_by(message):
            return [answer(message, 500, self.phone.peer)]
        if message.method == b"BYE":
            if known and self.stubborn:
                self.stubborn -= 1
                return [answer(message, 500, self.phone.peer)]
            call["state"], call["bye"] = "over", []
        return [answer(message, 200 if known else 481, self.phone.peer)]

    def _invited(self, call_id: str, call: dict | None, message: Message) -> Out:
        if call is not None:
            same = call["invite"].lines[1:3] == message.lines[1:3]
            return [call["last"]] if same else [answer(message, 482, self.phone.peer)]
        order = Order(int(text_of(message, CSEQ).split()[0]))
        self.calls[call_id] = call = {"invite": message, "state": "new", "order": order}
        return self._say(call, 180)

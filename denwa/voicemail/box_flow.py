"""The call of a subscriber to the own voicemail box (V6). Pure: `box_table.py` says what follows what, this what it
means for the messages of the box, and the worker carries it out.

From the own phone the box is open at once; from elsewhere the number and the PIN are keyed first. What needs the
database is asked of the service (`Ask`). There is no way from here to a call onwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final, NamedTuple

from denwa.voicemail import box_prompts
from denwa.voicemail.box_prompts import Entry, in_order
from denwa.voicemail.box_table import TABLE, Action, Event, State

ENTRIES: Final = 3  # of number and PIN in one call
KEY_PATIENCE: Final = 10.0  # seconds of silence until the caller is asked again
ANSWER_PATIENCE: Final = 15.0  # seconds the service may take to answer
LONGEST_GREETING: Final = 60.0  # seconds
LONGEST: Final = 1800.0  # seconds; a call that is forgotten ends
LONGEST_ENTRY: Final = 24  # digits kept
TONE: Final = "tone"  # said like a prompt
RECORDED: Final = "greeting.wav"  # what the subscriber records, in the folder of the call


# What the worker is to do


class Say(NamedTuple):
    """Play these prompts one after the other, instead of whatever plays."""

    prompts: tuple[str, ...]


class Play(NamedTuple):
    """Play this file instead of whatever plays; "": what was recorded."""

    path: str


class Await(NamedTuple):
    """Tell `SILENCE` after so many seconds, unless something else is to be waited for or is played before."""

    seconds: float


class Ask(NamedTuple):
    """Ask the service."""

    what: str
    fields: dict[str, Any]


class Do(StrEnum):
    HUSH = "hush"  # play nothing
    RECORD = "record"
    END_RECORD = "end-record"  # tell `RECORDED` when the file is complete
    CLOSE = "close"  # nothing more is asked or played
    BYE = "bye"
    FREE = "free"  # the place can take another call


Effect = Say | Play | Await | Ask | Do

_REQUESTS: Final = {  # what is said again when nothing was keyed
    State.NUMBER: ("box-enter-number",),
    State.PIN: ("box-enter-pin",),
    State.MENU: ("box-menu",),
    State.END: ("box-end-menu",),
    State.GREETING_MENU: ("greeting-menu",),
    State.GREETING_REVIEW: ("greeting-review",),
}
_KEYS: Final = {
    key.value: key
    for key in (Event.KEY_1, Event.KEY_2, Event.KEY_3, Event.KEY_GREETING, Event.KEY_HASH, Event.KEY_STAR)
}


class BoxFlow:
    """One call. `own`: from the own phone, which needs no PIN."""

    def __init__(self, *, own: bool) -> None:
        self.state = State.ANSWERED
        self._own = own
        self._entered = ""
        self._number = ""
        self._wrong = 0
        self._was_wrong = False  # the last entry, and the caller does not know yet
        self._nudges = 0
        self._entries: list[Entry] = []
        self._at = 0  # the message whose turn it is
        self._told = 0  # headers said since the counts
        self._path = ""  # of the sound that was asked for
        self._changed = ""  # what to say when the greeting is changed
        self._effects: list[Effect] = []

    def happened(self, event: Event) -> list[Effect]:
        """What follows `event`. An event that has no row came too late or means nothing here: nothing."""
        self._step(event)
        effects, self._effects = self._effects, []
        return effects

    def key(self, key: str) -> list[Effect]:
        """A key of the telephone, one character."""
        self._nudges = 0
        if self.state in (State.NUMBER, State.PIN) and key.isdigit():
            self._entered = (self._entered + key)[:LONGEST_ENTRY]
            return self.happened(Event.DIGIT)
        return self.happened(_KEYS.get("0" if key == "9" else key, Event.KEY_OTHER))

    def opened(self, entries: Iterable[Entry]) -> list[Effect]:
        """The service has opened the box: these messages are in it."""
        if self.state is State.OPENING:
            self._entries = in_order(entries)
        return self.happened(Event.OPENED)

    def here(self, path: str) -> list[Effect]:
        """The sound that was asked for."""
        self._path = path
        return self.happened(Event.HERE)

    def _step(self, event: Event) -> None:
        self.state, actions = TABLE.get((self.state, event), (self.state, ()))
        for action in actions:
            self._perform(action)

    def _perform(self, action: Action) -> None:
        if action in _SAYINGS:
            self._say(*_SAYINGS[action])
        elif action in _DOINGS:
            self._effects += _DOINGS[action]
        else:
            getattr(self, "_" + action.name.lower())()

    def _say(self, *prompts: str) -> None:
        self._effects.append(Say(prompts))

    def _ask(self, what: str, **fields: Any) -> None:
        self._effects += [Do.HUSH, Ask(what, fields), Await(ANSWER_PATIENCE)]

    # Whose box

    def _begin(self) -> None:
        if self._own:
            self._ask("open")
        else:
            self._step(Event.AGAIN)

    def _ask_number(self) -> None:
        wrong = ("box-wrong-pin",) if self._was_wrong else ()
        self._was_wrong = False
        self._number = self._entered = ""
        self._say(*wrong, "box-enter-number")

    def _ask_pin(self) -> None:
        self._number, self._entered = self._entered, ""
        self._say("box-enter-pin")

    def _open(self) -> None:
        pin, self._entered = self._entered, ""
        self._ask("open", number=self._number, pin=pin)

    def _count_wrong(self) -> None:
        self._wrong += 1
        self._was_wrong = True
        self._step(Event.AGAIN if self._wrong < ENTRIES else Event.ENOUGH)

    # Messages

    def _tell_counts(self) -> None:
        self._say(*box_prompts.counts(self._entries))

    def _choose(self) -> None:
        self._step(Event.FOUND if self._at < len(self._entries) else Event.NONE_LEFT)

    def _next(self) -> None:
        self._at += 1

    def _rewind(self) -> None:
        self._at = self._told = 0

    def _list(self) -> None:
        self._ask("list")

    def _fetch(self) -> None:
        self._ask("sound", id=self._entries[self._at].id)

    def _tell_header(self) -> None:
        follows = ("box-next",) if self._told else ()
        self._told += 1
        self._say(*follows, *box_prompts.header(self._entries[self._at]))

    def _play(self) -> None:
        self._effects.append(Play(self._path))

    def _mark(self) -> None:
        entry = self._entries[self._at]
        if not entry.heard:
            self._entries[self._at] = replace(entry, heard=True)
            self._effects.append(Ask("heard", {"id": entry.id}))

    def _delete(self) -> None:
        self._ask("delete", id=self._entries[self._at].id)

    def _strike(self) -> None:
        del self._entries[self._at]

    def _tell_end(self) -> None:
        self._say(*(("box-end",) if self._told else ()), "box-end-menu")

    # Keys that do not come, and those that mean nothing

    def _invalid(self) -> None:
        self._say("invalid-key", *_REQUESTS[self.state])

    def _nudge(self) -> None:
        self._nudges += 1
        self._entered = ""
        if self._nudges > 1:
            self._step(Event.ENOUGH)
        else:
            self._say(*_REQUESTS[self.state])

    # The own greeting

    def _greeting_fetch(self) -> None:
        self._ask("greeting")

    def _greeting_play(self) -> None:
        self._effects.append(Play(self._path))

    def _greeting_save(self) -> None:
        self._changed = "greeting-saved"
        self._ask("save-greeting")

    def _greeting_clear(self) -> None:
        self._changed = "greeting-standard"
        self._ask("clear-greeting")

    def _greeting_changed(self) -> None:
        self._say(self._changed, "greeting-menu")


_SAYINGS: Final[dict[Action, tuple[str, ...]]] = {
    Action.TELL_MENU: ("box-menu",),
    Action.TELL_DELETED: ("box-deleted",),
    Action.TELL_GONE: ("box-gone",),
    Action.GREETING_MENU: ("greeting-menu",),
    Action.GREETING_STANDARD: ("greeting-standard", "greeting-menu"),
    Action.GREETING_ASK: ("greeting-record", TONE),
    Action.GREETING_REVIEW: ("greeting-review",),
    Action.GREETING_FAILED: ("greeting-failed", "greeting-menu"),
    Action.TELL_WRONG: ("box-wrong-pin", "goodbye"),
    Action.TELL_LOCKED: ("box-locked", "goodbye"),
    Action.TELL_FAULT: ("box-unavailable", "goodbye"),
    Action.GOODBYE: ("goodbye",),
}
_DOINGS: Final[dict[Action, tuple[Effect, ...]]] = {
    Action.KEEP_DIGIT: (Do.HUSH, Await(KEY_PATIENCE)),
    Action.WAIT: (Await(KEY_PATIENCE),),
    Action.GREETING_RECORD: (Do.HUSH, Do.RECORD, Await(LONGEST_GREETING)),
    Action.GREETING_CLOSE: (Do.END_RECORD,),
    Action.GREETING_HEAR: (Play(""),),
    Action.CLOSE: (Do.CLOSE,),
    Action.BYE: (Do.BYE,),
    Action.FREE: (Do.FREE,),
}


def needed_prompts() -> frozenset[str]:
    """Every prompt that a call can be told."""
    said = {prompt for prompts in (*_SAYINGS.values(), *_REQUESTS.values()) for prompt in prompts if prompt != TONE}
    return box_prompts.needed() | said | {"box-end", "box-next", "box-wrong-pin", "invalid-key", "greeting-saved"}

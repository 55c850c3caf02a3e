"""The voicemail box by phone as a state table: states, what happens, what follows (V6). Pure; see `box_flow.py`."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    ANSWERED = "answered"  # 200 sent, ACK not seen
    NUMBER = "number"  # the caller keys a number
    PIN = "pin"
    OPENING = "opening"  # the service is asked for the box
    COUNTS = "counts"
    FETCHING = "fetching"  # the service is asked for a message's sound
    HEADER = "header"  # who called and when
    SOUND = "sound"  # the message itself
    MENU = "menu"  # the message was told: what is to become of it?
    DELETING = "deleting"
    DELETED = "deleted"
    GONE = "gone"  # somebody else has deleted it meanwhile
    END = "end"  # all messages were told
    GREETING_MENU = "greeting-menu"
    GREETING_FETCHING = "greeting-fetching"
    GREETING_PLAYING = "greeting-playing"
    GREETING_ASKING = "greeting-asking"  # the request to speak, and the tone
    GREETING_RECORDING = "greeting-recording"
    GREETING_CLOSING = "greeting-closing"  # the recording is being completed
    GREETING_REVIEW = "greeting-review"
    GREETING_HEARING = "greeting-hearing"  # what was recorded is played
    GREETING_CHANGING = "greeting-changing"  # the service stores or forgets it
    PARTING = "parting"  # the last prompts
    LEAVING = "leaving"  # our BYE is out
    ENDED = "ended"


class Event(StrEnum):
    ESTABLISHED = "established"  # ACK seen and sound flows
    PLAYED = "played"  # what was said or played is over
    SILENCE = "silence"  # the time of `Await` is over
    KEY_1 = "1"
    KEY_2 = "2"
    KEY_3 = "3"
    KEY_GREETING = "0"  # or 9
    KEY_HASH = "#"
    KEY_STAR = "*"
    KEY_OTHER = "other"
    DIGIT = "digit"  # of a number or PIN
    OPENED = "opened"
    WRONG = "wrong"  # number or PIN
    LOCKED = "locked"
    HERE = "here"  # the sound that was asked for
    MISSING = "missing"  # there is none
    DONE = "done"  # the service has done as it was asked
    FAILED = "failed"  # it cannot
    RECORDED = "recorded"  # the recording is complete
    # What the flow finds itself
    FOUND = "found"  # there is a next message
    NONE_LEFT = "none-left"
    AGAIN = "again"  # one more try
    ENOUGH = "enough"
    # What ends every call
    LIMIT = "limit"  # it has lasted too long
    STOP = "stop"  # the service wants it to end (shutdown, a fault)
    HANGUP = "hangup"  # it is over, whoever ended it


class Action(StrEnum):
    BEGIN = "begin"  # open the own box or ask whose it is
    ASK_NUMBER = "ask-number"
    ASK_PIN = "ask-pin"
    KEEP_DIGIT = "keep-digit"
    OPEN = "open"
    COUNT_WRONG = "count-wrong"
    TELL_COUNTS = "tell-counts"
    CHOOSE = "choose"  # look for the message whose turn it is
    NEXT = "next"  # the one after it
    REWIND = "rewind"
    LIST = "list"  # ask for the messages once more: some may have come
    FETCH = "fetch"
    TELL_HEADER = "tell-header"
    PLAY = "play"
    MARK = "mark"  # it was heard
    TELL_MENU = "tell-menu"
    DELETE = "delete"
    STRIKE = "strike"  # it is gone
    TELL_DELETED = "tell-deleted"
    TELL_GONE = "tell-gone"
    TELL_END = "tell-end"
    INVALID = "invalid"  # that key means nothing here
    WAIT = "wait"
    NUDGE = "nudge"  # nothing was keyed
    GREETING_MENU = "tell-greeting-menu"
    GREETING_FETCH = "fetch-greeting"
    GREETING_PLAY = "play-greeting"
    GREETING_STANDARD = "tell-standard"
    GREETING_ASK = "ask-greeting"
    GREETING_RECORD = "record-greeting"
    GREETING_CLOSE = "close-greeting"
    GREETING_REVIEW = "tell-review"
    GREETING_HEAR = "hear-greeting"
    GREETING_SAVE = "save-greeting"
    GREETING_CLEAR = "clear-greeting"
    GREETING_CHANGED = "tell-changed"
    GREETING_FAILED = "tell-greeting-failed"
    TELL_WRONG = "tell-wrong"
    TELL_LOCKED = "tell-locked"
    TELL_FAULT = "tell-fault"
    GOODBYE = "goodbye"
    CLOSE = "close"
    BYE = "bye"
    FREE = "free"


Step = tuple[State, tuple[Action, ...]]
S, E, A = State, Event, Action

_TO_NEXT: Step = (S.FETCHING, (A.NEXT, A.CHOOSE))
_TO_THIS: Step = (S.FETCHING, (A.CHOOSE,))
_TO_HEADER: Step = (S.HEADER, (A.TELL_HEADER,))
_TO_DELETING: Step = (S.DELETING, (A.DELETE,))
_TO_GREETINGS: Step = (S.GREETING_MENU, (A.GREETING_MENU,))
_TO_END: Step = (S.END, (A.TELL_END,))
_TO_PARTING: Step = (S.PARTING, (A.GOODBYE,))
_IN_FAULT: Step = (S.PARTING, (A.TELL_FAULT,))

_KEYED = (S.NUMBER, S.PIN, S.MENU, S.END, S.GREETING_MENU, S.GREETING_REVIEW)  # a key is waited for, for a while
_ASKING = (S.OPENING, S.FETCHING, S.DELETING, S.GREETING_FETCHING, S.GREETING_CHANGING)  # the service must answer
_OVER = (S.LEAVING, S.ENDED)

_ENTRY: dict[tuple[State, Event], Step] = {
    (S.ANSWERED, E.ESTABLISHED): (S.OPENING, (A.BEGIN,)),
    (S.OPENING, E.AGAIN): (S.NUMBER, (A.ASK_NUMBER,)),
    (S.OPENING, E.ENOUGH): (S.PARTING, (A.TELL_WRONG,)),
    (S.OPENING, E.OPENED): (S.COUNTS, (A.TELL_COUNTS,)),
    (S.OPENING, E.WRONG): (S.OPENING, (A.COUNT_WRONG,)),
    (S.OPENING, E.LOCKED): (S.PARTING, (A.TELL_LOCKED,)),
    (S.NUMBER, E.DIGIT): (S.NUMBER, (A.KEEP_DIGIT,)),
    (S.NUMBER, E.KEY_STAR): (S.NUMBER, (A.ASK_NUMBER,)),
    (S.NUMBER, E.KEY_HASH): (S.PIN, (A.ASK_PIN,)),
    (S.PIN, E.DIGIT): (S.PIN, (A.KEEP_DIGIT,)),
    (S.PIN, E.KEY_STAR): (S.NUMBER, (A.ASK_NUMBER,)),
    (S.PIN, E.KEY_HASH): (S.OPENING, (A.OPEN,)),
}

_MESSAGES: dict[tuple[State, Event], Step] = {
    (S.COUNTS, E.PLAYED): _TO_THIS,
    (S.COUNTS, E.KEY_HASH): _TO_THIS,
    (S.COUNTS, E.KEY_1): (S.COUNTS, (A.TELL_COUNTS,)),
    (S.COUNTS, E.KEY_2): _TO_THIS,
    (S.COUNTS, E.KEY_GREETING): _TO_GREETINGS,
    (S.COUNTS, E.KEY_STAR): _TO_PARTING,
    (S.FETCHING, E.FOUND): (S.FETCHING, (A.FETCH,)),
    (S.FETCHING, E.NONE_LEFT): _TO_END,
    (S.FETCHING, E.HERE): _TO_HEADER,
    (S.FETCHING, E.MISSING): (S.GONE, (A.STRIKE, A.TELL_GONE)),
    (S.GONE, E.PLAYED): _TO_THIS,
    (S.GONE, E.KEY_HASH): _TO_THIS,
    (S.GONE, E.KEY_STAR): _TO_PARTING,
    (S.HEADER, E.PLAYED): (S.SOUND, (A.PLAY,)),
    (S.HEADER, E.KEY_HASH): (S.SOUND, (A.PLAY,)),
    (S.HEADER, E.KEY_1): _TO_HEADER,
    (S.HEADER, E.KEY_2): _TO_NEXT,
    (S.SOUND, E.PLAYED): (S.MENU, (A.MARK, A.TELL_MENU)),
    (S.SOUND, E.KEY_HASH): (S.MENU, (A.MARK, A.TELL_MENU)),
    (S.SOUND, E.KEY_1): (S.HEADER, (A.MARK, A.TELL_HEADER)),
    (S.SOUND, E.KEY_2): (S.FETCHING, (A.MARK, A.NEXT, A.CHOOSE)),
    (S.MENU, E.KEY_1): _TO_HEADER,
    (S.MENU, E.KEY_2): _TO_NEXT,
    (S.MENU, E.KEY_HASH): _TO_NEXT,
    (S.MENU, E.KEY_OTHER): (S.MENU, (A.INVALID,)),
    (S.DELETING, E.DONE): (S.DELETED, (A.STRIKE, A.TELL_DELETED)),
    (S.DELETED, E.PLAYED): _TO_THIS,
    (S.DELETED, E.KEY_HASH): _TO_THIS,
    (S.DELETED, E.KEY_STAR): _TO_PARTING,
    (S.END, E.KEY_1): (S.OPENING, (A.REWIND, A.LIST)),
    (S.END, E.KEY_GREETING): _TO_GREETINGS,
    (S.END, E.KEY_STAR): _TO_PARTING,
    **{(S.END, key): (S.END, (A.INVALID,)) for key in (E.KEY_2, E.KEY_3, E.KEY_HASH, E.KEY_OTHER)},
    **{(state, E.KEY_3): _TO_DELETING for state in (S.HEADER, S.SOUND, S.MENU)},
    **{(state, E.KEY_GREETING): _TO_GREETINGS for state in (S.HEADER, S.SOUND, S.MENU)},
    **{(state, E.KEY_STAR): _TO_PARTING for state in (S.HEADER, S.SOUND, S.MENU)},
}

_GREETING: dict[tuple[State, Event], Step] = {
    (S.GREETING_MENU, E.KEY_1): (S.GREETING_FETCHING, (A.GREETING_FETCH,)),
    (S.GREETING_MENU, E.KEY_2): (S.GREETING_ASKING, (A.GREETING_ASK,)),
    (S.GREETING_MENU, E.KEY_3): (S.GREETING_CHANGING, (A.GREETING_CLEAR,)),
    (S.GREETING_MENU, E.KEY_STAR): _TO_END,
    **{(S.GREETING_MENU, k): (S.GREETING_MENU, (A.INVALID,)) for k in (E.KEY_GREETING, E.KEY_HASH, E.KEY_OTHER)},
    (S.GREETING_FETCHING, E.HERE): (S.GREETING_PLAYING, (A.GREETING_PLAY,)),
    (S.GREETING_FETCHING, E.MISSING): (S.GREETING_MENU, (A.GREETING_STANDARD,)),
    **{(S.GREETING_PLAYING, event): _TO_GREETINGS for event in (E.PLAYED, E.KEY_HASH, E.KEY_STAR)},
    (S.GREETING_ASKING, E.PLAYED): (S.GREETING_RECORDING, (A.GREETING_RECORD,)),
    (S.GREETING_ASKING, E.KEY_STAR): _TO_GREETINGS,
    **{
        (S.GREETING_RECORDING, event): (S.GREETING_CLOSING, (A.GREETING_CLOSE,))
        for event in (E.SILENCE, E.KEY_HASH, E.KEY_STAR)
    },
    (S.GREETING_CLOSING, E.RECORDED): (S.GREETING_REVIEW, (A.GREETING_REVIEW,)),
    (S.GREETING_REVIEW, E.KEY_1): (S.GREETING_HEARING, (A.GREETING_HEAR,)),
    (S.GREETING_REVIEW, E.KEY_2): (S.GREETING_CHANGING, (A.GREETING_SAVE,)),
    (S.GREETING_REVIEW, E.KEY_3): (S.GREETING_ASKING, (A.GREETING_ASK,)),
    (S.GREETING_REVIEW, E.KEY_STAR): _TO_GREETINGS,
    **{(S.GREETING_REVIEW, k): (S.GREETING_REVIEW, (A.INVALID,)) for k in (E.KEY_GREETING, E.KEY_HASH, E.KEY_OTHER)},
    **{
        (S.GREETING_HEARING, event): (S.GREETING_REVIEW, (A.GREETING_REVIEW,))
        for event in (E.PLAYED, E.KEY_HASH, E.KEY_STAR)
    },
    (S.GREETING_CHANGING, E.DONE): (S.GREETING_MENU, (A.GREETING_CHANGED,)),
    (S.GREETING_CHANGING, E.MISSING): (S.GREETING_MENU, (A.GREETING_FAILED,)),
}

TABLE: dict[tuple[State, Event], Step] = {
    **_ENTRY,
    **_MESSAGES,
    **_GREETING,
    (S.PARTING, E.PLAYED): (S.LEAVING, (A.CLOSE, A.BYE)),
    **{(state, E.PLAYED): (state, (A.WAIT,)) for state in _KEYED},
    **{(state, E.SILENCE): (state, (A.NUDGE,)) for state in _KEYED},
    **{(state, E.ENOUGH): _TO_PARTING for state in _KEYED},
    **{(state, event): _IN_FAULT for state in _ASKING for event in (E.SILENCE, E.FAILED)},
    **{(state, E.LIMIT): _TO_PARTING for state in State if state not in (*_OVER, S.ANSWERED, S.PARTING)},
    **{(state, E.LIMIT): (S.LEAVING, (A.CLOSE, A.BYE)) for state in (S.ANSWERED, S.PARTING)},
    **{(state, E.STOP): (S.LEAVING, (A.CLOSE, A.BYE)) for state in State if state not in _OVER},
    **{(state, E.HANGUP): (S.ENDED, (A.CLOSE, A.FREE)) for state in State if state not in _OVER},
    (S.LEAVING, E.HANGUP): (S.ENDED, (A.FREE,)),
}

"""Why a change of a contract is refused: a closed list, so that every front can say it in its own language."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """What is wrong; the text of the fault adds the particulars."""

    BAD_VALUE = "bad-value"  # the value itself cannot be read or is out of range
    UNKNOWN_SETTING = "unknown-setting"
    CONTRADICTION = "contradiction"  # F2: forwarding and voicemail at once
    FORWARD_TARGET = "forward-target"  # F3
    UNKNOWN_SUBSCRIBER = "unknown-subscriber"
    NUMBER_TAKEN = "number-taken"  # N1: given now or ever before
    NOT_OWN_NUMBER = "not-own-number"  # outside the operator's ranges
    NO_NUMBER_LEFT = "no-number-left"
    STATE = "state"  # L2: the state of the contract does not allow it
    BLOCKLIST_FULL = "blocklist-full"  # B1
    NOT_BLOCKED = "not-blocked"
    CARD_FULL = "card-full"  # T7: a sixth number on one payment card
    KEY = "key"  # the key file does not fit what it should open


MALFORMED = frozenset({Reason.BAD_VALUE, Reason.UNKNOWN_SETTING, Reason.CONTRADICTION})


class ContractFault(Exception):
    """A change is refused; `reason` is for programs, the text for a person. Never holds a secret."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason

    @property
    def malformed(self) -> bool:
        """The request itself is wrong, whatever the data says."""
        return self.reason in MALFORMED

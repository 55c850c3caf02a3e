"""Late interest by the terms that a subscriber has: its profile's, or the service's own (T11, L4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from denwa.config.settings import ConfigurationError
from denwa.contracts.profiles.files import ProfileFault, load_profile
from denwa.contracts.profiles.in_force import NoRuleError
from denwa.contracts.profiles.late_interest import late_interest as by_profile
from denwa.rating.arithmetic.late_interest import late_interest


@dataclass(frozen=True, slots=True)
class InterestByProfile:
    """The port `LateInterestRule`. `profile_of` names the profile of a subscriber (E.164), "" for the service's own."""

    profile_of: Callable[[str], str]
    directory: Path

    def __call__(self, subscriber: str, principal_yen: int, due_on: date, paid_on: date) -> tuple[int, str]:
        """0 yen where the profile's terms have no interest. Raises ConfigurationError when they cannot be read."""
        name = self.profile_of(subscriber)
        if not name:
            own = late_interest(principal_yen, due_on, paid_on)
            return own.yen, own.text()
        try:
            found = by_profile(load_profile(self.directory, name), principal_yen, due_on, paid_on)
        except NoRuleError as none:
            return 0, str(none)
        except ProfileFault as fault:
            raise ConfigurationError(str(fault)) from None
        return found.yen, f"{name}: {'; '.join(found.working)}"

"""What the value of a fault means, and how it is read: NAME=VALUE."""

import dataclasses
import math


class BadValue(ValueError):
    """A value that the fault cannot have; the text says what it expects."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A number. `meaning` says of what, `default` is taken where none is given."""

    meaning: str
    default: float
    highest: float

    def parse(self, text: str) -> float:
        """The value in a text. Raises BadValue."""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 < value <= self.highest:
            raise BadValue(
                f"{self.meaning}, a number above 0 and up to {self.highest:g}, such as "
                f"{self.default:g}"
            )
        return value


PER_REQUEST = Setting(meaning="probability per request", default=0.05, highest=1)
PER_EXEC = Setting(meaning="probability per exec", default=0.05, highest=1)
PER_POD = Setting(meaning="probability per pod", default=0.05, highest=1)
PER_WATCH = Setting(
    meaning="probability per watch, and per batch of its events", default=0.05, highest=1
)
PER_SECOND = Setting(meaning="times a second, on average", default=0.05, highest=20)

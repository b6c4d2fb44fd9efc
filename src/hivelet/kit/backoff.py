"""Exponential backoff with jitter, as a pure function of the attempt's number and a random draw."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """At once, then `first` seconds, doubling to `ceiling`; each delay jittered by ± `jitter` of itself."""

    first: float = 1.0
    factor: float = 2.0
    ceiling: float = 60.0
    jitter: float = 0.1

    def delay(self, attempt: int, draw: float = 0.5) -> float:
        """Seconds to wait before attempt number `attempt` (0 is the first, which waits not at all).

        Args:
            attempt: how many attempts went before.
            draw: a random number in [0, 1); 0.5 gives the delay without jitter.
        """
        if attempt <= 0:
            return 0.0
        # The exponent is bounded so that a crash loop of years cannot overflow a float.
        plain = min(self.ceiling, self.first * self.factor ** min(attempt - 1, 64))
        return plain * (1.0 + self.jitter * (2.0 * draw - 1.0))

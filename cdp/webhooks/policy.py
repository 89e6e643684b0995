"""What becomes of a delivery after an attempt: delivered, tried again later, or dead. Pure; the times are in one table.

The table of waits is that of the Standard Webhooks specification, "Retries". Waits vary by a fifth either way, so that what
failed together doesn't come back together.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

OutcomeKind = Literal["delivered", "refused", "redirected", "timed_out", "unreachable", "forbidden"]
GONE: Final = 410
_ASKS_TO_WAIT: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How patient deliveries are. Seconds, and shares of them."""

    retry_seconds: tuple[float, ...] = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
    jitter: float = 0.2
    longest_asked_wait_seconds: float = 86_400
    timeout_seconds: float = 15
    connect_seconds: float = 5
    lease_seconds: float = 60  # well above the timeout: a claim that lives is never sent twice
    rest_after_failures: int = 5
    rest_seconds: float = 5
    longest_rest_seconds: float = 300
    disable_after_seconds: float = 5 * 86_400
    most_at_once: int = 32
    most_each: int = 8
    poll_seconds: float = 1.0
    chores_seconds: float = 30.0

    @property
    def most_tries(self) -> int:
        """Attempts before a delivery is dead."""
        return len(self.retry_seconds) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt went. `status` and `excerpt` are of an answer, None where there was none; `problem` None: delivered."""

    kind: OutcomeKind
    status: int | None = None
    excerpt: str | None = None
    problem: str | None = None
    wait_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What becomes of the delivery; `next_attempt_at` counts while it is pending."""

    state: Literal["pending", "delivered", "dead"]
    next_attempt_at: datetime


def settle(policy: Policy, outcome: Outcome, *, tries: int, is_test: bool, now: datetime, luck: float) -> Settled:
    """What becomes of a delivery whose attempt number `tries` went like this. `luck` is between 0 and 1.

    A test is tried once. 410 means that nobody is there any more, so nothing is tried again. A receiver that asks for time
    (429, 503 with Retry-After) gets it, up to a day.
    """
    if outcome.kind == "delivered":
        return Settled(state="delivered", next_attempt_at=now)
    if is_test or outcome.status == GONE or tries >= policy.most_tries:
        return Settled(state="dead", next_attempt_at=now)
    seconds = policy.retry_seconds[tries - 1] * (1 + policy.jitter * (2 * luck - 1))
    if outcome.wait_seconds is not None and outcome.status in _ASKS_TO_WAIT:
        seconds = max(seconds, min(outcome.wait_seconds, policy.longest_asked_wait_seconds))
    return Settled(state="pending", next_attempt_at=now + timedelta(seconds=seconds))

"""Identity: who is who. Claims are facts, customers are what follows from them; `apply_claims` is the way in."""

from cdp.identify.applying import apply_claims
from cdp.identify.claims import Attached, ClaimDraft, Decision, ProfileKey

__all__ = ["Attached", "ClaimDraft", "Decision", "ProfileKey", "apply_claims"]

"""Identity: who is who. Claims are facts, customers are what follows from them; `apply_claims` is the way in.

What people decide comes in through `deciding`.
"""

from cdp.identify.applying import apply_claims
from cdp.identify.claims import Attached, Author, ClaimDraft, Decision, ProfileKey

__all__ = ["Attached", "Author", "ClaimDraft", "Decision", "ProfileKey", "apply_claims"]

"""Identity: who is who. Claims are facts, customers what follows from them; `apply_claims` and `attach` are the way in.

What people decide comes in through `deciding`.
"""

from cdp.identify.applying import apply_claims, attach
from cdp.identify.claims import Attached, Author, ClaimDraft, Decision, ProfileKey

__all__ = ["Attached", "Author", "ClaimDraft", "Decision", "ProfileKey", "apply_claims", "attach"]

"""One customer graph: every contact with a customer, who it was, what they are worth and what they need."""

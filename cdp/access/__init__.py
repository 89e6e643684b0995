"""Who is asking, and what they may see: sources, OAuth clients, members, sessions, the embedded issuer."""

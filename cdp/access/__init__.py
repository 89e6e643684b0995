"""Who is asking, and what they may see: sources and their keys, OAuth clients, members, sessions, the embedded issuer."""

"""The embedded issuer: a small OpenID provider on Authlib, reached by the same path as any other issuer."""

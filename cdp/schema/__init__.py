"""The GraphQL contract: every type, field and argument, declared once."""

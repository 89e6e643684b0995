"""Webhooks: changes of the graph sent to others' addresses, signed, retried, and on record until they arrived or died."""

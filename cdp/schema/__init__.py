"""The GraphQL contract: every type, field and argument, declared once; and `Graph`, which executes operations on it."""

from cdp.schema.execution import Graph, GraphResult, StoredOperation, open_graph, print_contract, schema

__all__ = ["Graph", "GraphResult", "StoredOperation", "open_graph", "print_contract", "schema"]

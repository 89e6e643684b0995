"""Probabilistic matching: which records without a common key are probably one person, or one organisation.

`preparing` reads records and makes them comparable, `learning` and `comparing` weigh pairs with Splink, on DuckDB or on Spark,
`explaining` says why. `files` runs it over CSV files, `customers` over the customers of a database. Batch, on request.
Everything heavy comes with the extra `match` (and `spark`) and is imported where it is used. Source: `identity.md`.
"""

"""The graph compiler: a GraphQL selection becomes one SQL statement that returns finished JSON; it knows no domain."""

"""GraphQL compared with its peers: `make bench-graphql`; how to read the outcome stands in `docs/performance.md`."""

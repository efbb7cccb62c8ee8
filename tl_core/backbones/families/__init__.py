"""The records of the registry, one module per group of related networks."""

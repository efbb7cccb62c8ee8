"""The separate process that opens an imported model."""

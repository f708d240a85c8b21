"""What can be found in a deployment: one module per theme, each a pure function from a `Subject` to notes."""

"""The methods, one folder each, what they share, and the registry that knows them by name."""

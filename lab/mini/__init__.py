"""The embedded model: its training on generated defects, and the captions that it learns from."""

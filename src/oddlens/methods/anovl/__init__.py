"""AnoVL (arXiv 2308.15939)."""

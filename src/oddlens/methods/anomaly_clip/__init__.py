"""AnomalyCLIP (ICLR 2024)."""

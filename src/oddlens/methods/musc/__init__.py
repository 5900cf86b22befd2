"""MuSc (ICLR 2024)."""

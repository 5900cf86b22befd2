"""SubspaceAD (CVPR 2026)."""

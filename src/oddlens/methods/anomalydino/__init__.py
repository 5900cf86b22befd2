"""AnomalyDINO (WACV 2025)."""

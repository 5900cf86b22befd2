"""Programs for those who work on oddlens; nothing of them is in the wheel."""

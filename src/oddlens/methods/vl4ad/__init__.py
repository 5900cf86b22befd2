"""VL4AD: a wing of its own, as it looks at whole streets. Words (vocabulary), masks (where), scores (how odd), and the method."""

"""VL4AD: road scenes by words. Vocabulary (the words), masks (where), scores (how anomalous), and the method."""

"""What several methods share: anomaly maps, the memory bank, prompt ensembles, tiling."""

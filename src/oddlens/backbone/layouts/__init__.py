"""Model layouts on disk, one file each: `recognise(path)` and `read(path) -> LoadedModel`."""

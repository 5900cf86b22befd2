"""`oddlens.load` and `oddlens.open_station`: from a method's name and a model, or from a folder, to a detector.

Neither needs torch where the model's graphs can do what is asked.
"""

from oddlens.loading.detectors import load, open_station

__all__ = ["load", "open_station"]

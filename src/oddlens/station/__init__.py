"""Stations on disk: a saved detector as a folder. See `oddlens.station.folder`."""

from oddlens.station.folder import FORMAT, REFERENCES, read_station, write_station
from oddlens.station.state import SavedReferences, StationState

__all__ = ["FORMAT", "REFERENCES", "SavedReferences", "StationState", "read_station", "write_station"]

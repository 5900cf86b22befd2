"""Data sets: one record type, one file a layout, and a check that says what is wrong with the files."""

from oddlens.data.check import Count, Report, check_dataset
from oddlens.data.contact_sheet import write_contact_sheet
from oddlens.data.dataset import Dataset
from oddlens.data.legend import LEGENDS, Legend, load_legend
from oddlens.data.manifest import manifest_hash, write_manifest
from oddlens.data.masks import check_shape, looks_inverted, read_classes, read_ignore, read_mask, resize_mask
from oddlens.data.open import open_dataset
from oddlens.data.problem import Problem
from oddlens.data.record import Record

__all__ = [
    "LEGENDS",
    "Count",
    "Dataset",
    "Legend",
    "Problem",
    "Record",
    "Report",
    "check_dataset",
    "check_shape",
    "load_legend",
    "looks_inverted",
    "manifest_hash",
    "open_dataset",
    "read_classes",
    "read_ignore",
    "read_mask",
    "resize_mask",
    "write_contact_sheet",
    "write_manifest",
]

"""The layouts that `open_dataset` knows, the most specific first."""

from oddlens.data.layouts import (
    btad,
    covid,
    dagm,
    folder,
    head_ct,
    images_and_masks,
    kolektor_sdd,
    kolektor_sdd2,
    manifest,
    meta_json,
    mvtec,
    mvtec_ad_2,
    visa,
    yes_no,
)
from oddlens.data.layouts.base import Layout

# A file that lists the pictures says more than a tree of folders, and a peculiar tree more than a plain one.
LAYOUTS: tuple[Layout, ...] = (
    manifest.LAYOUT,
    meta_json.LAYOUT,
    visa.LAYOUT,
    head_ct.LAYOUT,
    mvtec_ad_2.LAYOUT,
    btad.LAYOUT,
    dagm.LAYOUT,
    kolektor_sdd.LAYOUT,
    kolektor_sdd2.LAYOUT,
    mvtec.LAYOUT,
    covid.LAYOUT,
    yes_no.LAYOUT,
    images_and_masks.LAYOUT,
    folder.LAYOUT,
)

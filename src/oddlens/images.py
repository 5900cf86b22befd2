"""Deprecated, and gone with 0.3: programs written for 0.1.0 read images from here. Use `oddlens.io.images`."""

import warnings

from oddlens.io.images import DEFAULT_MAX_MEGAPIXELS, ImageInput, Picture, read_image

__all__ = ["DEFAULT_MAX_MEGAPIXELS", "ImageInput", "Picture", "read_image"]

warnings.warn("oddlens.images is now oddlens.io.images: change the import", DeprecationWarning, stacklevel=2)

"""Images through the towers: what encodes them, and what comes out."""

from oddlens.encoding.batch import EncodedBatch, encoding_settings, joined
from oddlens.encoding.encoder import LARGEST_SCALED, Encoder, Prepared, check_shape, encode_together
from oddlens.encoding.joining import check_scores, joined_scores

__all__ = [
    "LARGEST_SCALED",
    "EncodedBatch",
    "Encoder",
    "Prepared",
    "check_scores",
    "check_shape",
    "encode_together",
    "encoding_settings",
    "joined",
    "joined_scores",
]

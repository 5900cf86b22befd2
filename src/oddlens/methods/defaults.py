"""Which method runs where none is named: by what the model can do, and by whether there are good examples. No torch is needed."""

from __future__ import annotations

from oddlens.backbone.cards import Card

ZERO_SHOT = "winclip"


def default_method(model: Card, *, with_references: bool) -> str:
    """The method for a model.

    A model whose makers name features at several depths for comparing images with references, as the embedded one, compares them
    by these. One without words (DINOv2) needs good examples in any case: AnomalyDINO's thresholds from them keep a promise, which
    those of SubspaceAD do not. Else words serve without references, and beside them.

    Examples:
        >>> from oddlens.backbone.cards import MINI, find_card
        >>> default_method(MINI, with_references=True), default_method(MINI, with_references=False)
        ('patch-knn', 'winclip')
        >>> default_method(find_card("dinov2-small"), with_references=True)
        'anomalydino'
    """
    if model.layout == "dinov2":
        return "anomalydino"
    return "patch-knn" if with_references and model.stages else ZERO_SHOT

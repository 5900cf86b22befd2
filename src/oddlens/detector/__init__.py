"""The detector: model, method, references and thresholds in one place."""

from oddlens.detector.detector import Detector, encoder_of

__all__ = ["Detector", "encoder_of"]

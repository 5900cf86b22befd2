"""Detectors at work over many images: the runner, its results folder, smoothing over the frames of a video, the demo."""

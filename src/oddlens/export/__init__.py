"""Methods as graphs (ONNX), which run without torch and give the same numbers."""

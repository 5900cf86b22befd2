"""Methods as graphs on onnxruntime or OpenVINO: they give what the methods on torch give, and need no torch."""

from oddlens.runtime.graph_folder import GRAPHS, holds_graphs
from oddlens.runtime.graph_method import GraphMethod

__all__ = ["GRAPHS", "GraphMethod", "holds_graphs"]

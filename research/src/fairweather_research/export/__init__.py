"""The graph, its SavedModel, and the ONNX artifact made from it."""

"""A tf2onnx that converts wrongly and says nothing: put its folder on PYTHONPATH."""

"""Models of other programs: ONNX files and PyTorch modules as networks, with their weights as a state."""

"""The control: the pipeline in PyTorch."""

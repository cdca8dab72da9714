"""ndfd, the NeuralDocFlow daemon: documents in over a local socket, checked structured records out."""

__version__ = "0.1.0"

"""The daemon's API seen from a program: blocking calls over the Varlink door."""

from ndfd.client.client import Client
from ndfd.client.conversion import Conversion

__all__ = ["Client", "Conversion"]

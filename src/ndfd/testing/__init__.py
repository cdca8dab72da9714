"""Fakes of the world for tests, held to the same contracts as the real things by the suite that ships with ndfd."""

from ndfd.testing.clock import FakeClock
from ndfd.testing.kernel_tree import FakeKernel
from ndfd.testing.spawner import FakeSpawner, FakeWorker

__all__ = ["FakeClock", "FakeKernel", "FakeSpawner", "FakeWorker"]

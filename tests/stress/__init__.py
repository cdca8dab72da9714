"""Long runs of a real daemon under load and faults; each has a short run among the default tests."""

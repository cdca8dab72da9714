"""Settings of the system that conversions gain from: planned, applied, verified, and put back whatever happens.

A knob reads, judges and writes one setting (`knob`, `knobs`, `catalogue`). `wishes` says what each shall be, `plan`
what is to be written for that, `apply` and `revert` write it, and the `journal` knows at every moment what was before.
All of it sees the system through `ndfd.platform.KernelFiles`, which may be those of a fake (`ndfd.testing`).
"""

"""Settings in small frozen groups, read once from embedded defaults and `NDFD_*` variables."""

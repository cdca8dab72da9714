"""Benchmarks that anyone can run: how fast ndfd reads, beside its peers, where its time goes, and how well it reads."""

"""Frozen values that every layer shares: the document tree, conversion options and reports; no I/O, no clock."""

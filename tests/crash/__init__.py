"""Kills and power cuts: what was acknowledged is there afterwards, once; a short run is among the default tests."""

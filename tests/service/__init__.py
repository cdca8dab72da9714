"""Tests of the daemon as a service of the system."""

"""What the daemon tells its operator: logs on stderr and metrics in the Prometheus format."""

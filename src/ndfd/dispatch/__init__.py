"""The loop from the store through the pools and back; deliveries of what became of jobs; watch folders."""

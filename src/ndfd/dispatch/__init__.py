"""The loop of durable jobs: from the store by the scheduler to the pool, and what comes of it back to the store."""

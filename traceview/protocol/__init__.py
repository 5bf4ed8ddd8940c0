"""What every process of traceview shares: the records, how they travel, and where things lie on disk."""

"""traceview: a debugger for AI agents, LLM apps and decision pipelines. This is its SDK, and nothing else."""

"""traceview-agent: the daemon that receives spans and keeps them in the store. A process, imported by nobody."""

"""Walking through a run: the transport bar and the replay view."""

"""The panes of the window around the timeline: trace list, header, empty state, status bar."""

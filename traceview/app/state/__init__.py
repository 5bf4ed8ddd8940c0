"""What the user looks at: the open run, the selection, the filters, the place in the replay."""

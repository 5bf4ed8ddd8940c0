"""The waterfall: the span tree beside the timeline. pyqtgraph lives here and nowhere else."""

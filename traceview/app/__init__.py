"""The desktop: everything with a window. Qt lives here and nowhere else."""

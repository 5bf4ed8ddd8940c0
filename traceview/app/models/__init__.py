"""Records turned into rows and roles that views paint."""

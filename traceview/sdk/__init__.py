"""The tracer inside the user's process: never raises into the program, never blocks it."""

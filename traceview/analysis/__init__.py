"""Pure functions over records: trees, steps, state as of a step. No Qt, no SQL, no clock."""

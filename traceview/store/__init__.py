"""The database: one writer, many readers. SQLAlchemy stops at this door."""

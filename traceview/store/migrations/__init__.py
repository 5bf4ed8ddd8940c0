"""The steps by which alembic brings an older store to the present schema; only `migrate.py` runs them."""

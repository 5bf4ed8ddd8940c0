"""One file per version of the schema; revision `0007` makes a store whose `user_version` is 7."""

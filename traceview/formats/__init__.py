"""Files and wire formats of others, read into our records and written from them."""

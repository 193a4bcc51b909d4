"""Files of the desk: whole or absent, private, sealed, on this disk or in a store that a URL names."""

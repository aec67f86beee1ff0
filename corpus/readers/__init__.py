"""One module a format: each turns a source into blocks."""

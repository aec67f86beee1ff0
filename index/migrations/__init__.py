"""How the schema of the database came to be, one step a file, run by `index.schema`."""

"""One module a command. Each imports what is heavy only when it runs."""

"""Answers written by a language model, each sentence held to the passages that it cites."""

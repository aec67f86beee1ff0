"""Trains the reader, measures it, and writes the file of weights that ships."""

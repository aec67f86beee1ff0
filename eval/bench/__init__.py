"""Benchmarks: programs that print what the documentation claims of speed and quality."""

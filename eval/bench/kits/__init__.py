"""wenqu beside the kits that people build such bots with: same passages, same model, one run.

Run it by `make bench`; docs/bench.md says what is measured and what came out.
"""

"""What we take from others: pinned, known to have no hole, free to use. `python -m eval.supply`."""

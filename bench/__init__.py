"""Measurements: Barlake beside its peers, in one run. ``make bench`` prints a table."""

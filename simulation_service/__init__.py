"""Simulation that does not flatter: fills, costs, metrics and the trial ledger."""

"""What to do and how much: signals, sizing, costs and the broker protocol.

Everything here is pure, and the same in simulation and live.
"""

"""Faults on purpose: kills at every change of the disk, crowds of processes, drawn histories."""

"""The HTTP door: routers per subject over the rooms below, thin."""

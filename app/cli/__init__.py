"""The ``barlake`` command: one file per subject, each a thin door over a plain function."""

"""What all tests share."""

import os

from hypothesis import settings

# The machine that runs the tests may be busy: how long an example takes is for `make bench` to tell.
# One commit gives one result: `make test` draws the same examples each time; `make chaos` draws anew.
settings.register_profile("barlake", deadline=None, derandomize="BARLAKE_CHAOS" not in os.environ)
settings.load_profile("barlake")

"""What all tests share."""

from hypothesis import settings

# The machine that runs the tests may be busy: how long an example takes is for `make bench` to tell.
settings.register_profile("barlake", deadline=None)
settings.load_profile("barlake")

"""The features themselves, a module for each group; every module here is found by itself."""

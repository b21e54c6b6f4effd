"""Labels, time-aware splits, pipelines, and models that know where they come from."""

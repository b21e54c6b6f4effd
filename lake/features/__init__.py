"""Wide features in the lake: a table for each version of a set, a view on the current one.

``features_<set>_<first 8 of the version>`` has ``source``, ``symbol``, ``timestamp`` (the bar's
opening, UTC), ``session_date``, a DOUBLE column a feature, and ``held_`` columns from which
recursions go on. The view ``features_<set>`` shows the version that was built last, without those.
What the features are is the feature service's affair.
"""

from lake.features.named_sets import StoredSet, store_set, stored_set, stored_sets
from lake.features.naming import FeatureSetNameError, FeaturesMissingError, check_set_name
from lake.features.reading import builds, definitions, held_rows, read_features
from lake.features.records import (
    Built,
    Continued,
    Definition,
    StoredBuild,
    changed_sessions,
    kept_sets,
    latest_build,
    note_audit,
)
from lake.features.storing import BuildOvertakenError, store_features
from lake.features.sums import content_hash
from lake.features.versions import (
    StoredVersion,
    VersionInUseError,
    VersionMissingError,
    drop_version,
    stored_versions,
)

__all__ = [
    "BuildOvertakenError",
    "Built",
    "Continued",
    "Definition",
    "FeatureSetNameError",
    "FeaturesMissingError",
    "StoredBuild",
    "StoredSet",
    "StoredVersion",
    "VersionInUseError",
    "VersionMissingError",
    "builds",
    "changed_sessions",
    "check_set_name",
    "content_hash",
    "definitions",
    "drop_version",
    "held_rows",
    "kept_sets",
    "latest_build",
    "note_audit",
    "read_features",
    "store_features",
    "store_set",
    "stored_set",
    "stored_sets",
    "stored_versions",
]

"""Pin the runs anew: ``python -m tests.simulation_service.golden``."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.simulation_service.golden import PINNED, write

if __name__ == "__main__":
    with TemporaryDirectory() as homes:
        write(Path(homes))
    sys.stdout.write(f"{PINNED.name} is written; look at what changed before you commit it.\n")

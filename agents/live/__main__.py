"""``python -m agents.live``: the live agent in this process."""

import sys

from agents.live.door import main

if __name__ == "__main__":
    sys.exit(main())

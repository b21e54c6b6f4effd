"""The embedded house: broker, workers, scheduler, API and UI as processes of one home.

``app.up.main.up`` runs all of it in the foreground; ``join`` gives an API a broker and a worker.
"""

from app.up.membership import Membership, join

__all__ = ["Membership", "join"]

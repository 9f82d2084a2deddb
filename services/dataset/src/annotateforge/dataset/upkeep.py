"""Upkeep of the tables after an import, which Postgres itself would get to within minutes.

Until then it plans as if there were next to nothing in them, and looks up in the table what an index tells:
a page of a list of 100,000 new images takes up to twenty times as long.
"""

from contextlib import AbstractAsyncContextManager

from annotateforge.dataset.store import upkeep
from annotateforge.runtime.database import Pool
from annotateforge.runtime.sweep import Sweep

_MANY = 1000
"""Images of an import from which on it matters."""
_EVERY = 3600.0
"""Seconds; nothing comes without waking it."""


class Upkeep:
    """Sees to the tables in the background, once for all imports that ended meanwhile."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._is_due = False
        self._sweep = Sweep("upkeep of tables", self._more, _EVERY)

    def running(self) -> AbstractAsyncContextManager[None]:
        """See to the tables for the time of the context."""
        return self._sweep.running()

    def imported(self, images: int) -> None:
        """Say how many images an import has added."""
        if images >= _MANY:
            self._is_due = True
            self._sweep.wake()

    async def _more(self) -> bool:
        if self._is_due:
            async with self._pool.acquire() as connection:
                await upkeep.see_to_tables(connection)
            self._is_due = False
        return False

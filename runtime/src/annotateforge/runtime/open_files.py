"""How many files the process may have open."""

import contextlib
import resource

_ENOUGH = 65_536


def allow_open_files() -> None:
    """Raise the limit of the process to what the system lets it have, at most 65,536. Packs of blobs take two
    for each 512 MiB and connections one each; many systems begin at 1,024 for the sake of programs that call
    select().
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS has a limit of its own beside an infinite one.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

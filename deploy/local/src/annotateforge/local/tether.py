"""Launcher of an embedded engine: ties the process to its parent and drops root, then becomes the engine.

Run as a program, by path and with `python -I -S`: it costs a few milliseconds and imports nothing of ours.

    tether.py PARENT_PID DEATH_SIGNAL UID:GID|- COMMAND...

It is a program rather than a `preexec_fn` because Python must not run between fork and exec in a parent that
has threads.
"""

import ctypes
import os
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
_CAP_SETPCAP = 8


def main() -> None:
    """Become the command of the arguments; exits 1 at once when the parent is gone already."""
    parent, death_signal, identity, *command = sys.argv[1:]
    if identity != "-":
        uid, gid = map(int, identity.split(":"))
        _drop_root(uid, gid)
    if sys.platform == "linux":
        # After the change of user, which clears it. A parent that died before is noticed by the next line.
        _prctl(_PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != int(parent):
            sys.exit(1)
    os.execv(command[0], command)


def _drop_root(uid: int, gid: int) -> None:
    """Become `uid`, keeping of root's powers only that of finding files below directories of root's own.

    A checkout in root's home is closed to every other user: without this capability the engine could reach
    neither its program nor its data there; the other way would be to open those directories to everybody.
    """
    held = int(_status("CapPrm"), 16) if sys.platform == "linux" else 0
    kept = next((one for one in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE) if held >> one & 1), None)
    if not held >> _CAP_SETPCAP & 1:
        kept = None
    if kept is not None:
        # Not PR_SET_KEEPCAPS: initdb looks for its programs with access(2), which counts the capabilities of
        # a user other than root only under this bit.
        _prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if kept is not None:
        _keep_only(kept)


def _keep_only(capability: int) -> None:
    bits = 1 << capability
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Effective, permitted, inheritable: first the low 32 bits of each, then the high ones. See capset(2).
    data = (ctypes.c_uint32 * 6)(bits, bits, bits, 0, 0, 0)
    if _libc().capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def _status(field: str) -> str:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{field}:"))


def _prctl(option: int, *arguments: int) -> None:
    padded = [ctypes.c_ulong(value) for value in (*arguments, *[0] * (4 - len(arguments)))]
    if _libc().prctl(option, *padded) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    main()

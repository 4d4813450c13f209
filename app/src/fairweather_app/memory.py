"""Memory that is free goes back to the system.

The C library keeps what models leave behind, in pieces that the next one may not fit into: without
this, successive deliveries cost a worker tens of megabytes that nobody uses.
"""

from __future__ import annotations

import ctypes
import sys


def give_back() -> bool:
    """Give free memory back; whether any was. Some milliseconds, without Python's lock.

    Only the GNU C library needs it, and can.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    return trim is not None and bool(trim(0))

"""
The processes of the cases: those under test, their peers, and what puts load on them.

Each is run as ``python -m benchmarks.programs.NAME``. With ``TXQMP_NO_ORJSON=1`` in the
environment, there is no orjson for it.
"""

import os
import sys
from typing import Any, cast

if os.environ.get("TXQMP_NO_ORJSON"):
    cast(Any, sys.modules)["orjson"] = None

"""Docket.

Two workers; a batch is what waits, up to 16,384 tokens, without a timer.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from app.server.serve import serve
from app.settings import Settings

if __name__ == "__main__":
    workers = int(os.environ.get("DOCKET_WORKERS", "2"))
    serve(Settings.read(artifact=Path(sys.argv[1]), port=int(sys.argv[2]), workers=workers))

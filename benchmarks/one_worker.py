"""Docket with one worker, so that a health check meets the process that has the request."""

from __future__ import annotations

import sys
from pathlib import Path

from app.server.serve import serve
from app.settings import Settings

if __name__ == "__main__":
    serve(Settings.read(artifact=Path(sys.argv[1]), port=int(sys.argv[2]), workers=1))

"""What `make screenshots` does: runs the demo in a home of its own and renders README's pictures from it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PICTURES = Path(__file__).resolve().parent / "screenshots"
COMMAND = [sys.executable, "-P", "-m", "traceview"]
AGENT = [sys.executable, "-P", "-m", "traceview_agent"]
SHOTS = (
    ("waterfall-dark.png", "dark", "1600x1000"),
    ("waterfall-light.png", "light", "1600x1000"),
    ("waterfall-1280x800.png", "dark", "1280x800"),
)


def main() -> int:
    """Takes every picture; returns 0, or raises where a command fails."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tv-") as home:
        environment = {**os.environ, "TRACEVIEW_HOME": home, "QT_QPA_PLATFORM": "offscreen", "TRACEVIEW_OTLP_PORT": "0"}

        def run(*arguments: str) -> None:
            subprocess.run([*COMMAND, *arguments], env=environment, check=True)

        try:
            run("demo", "--no-window")
            for name, theme, size in SHOTS:
                where = ("--theme", theme, "--size", size, "--span", "draft decision", "--at-step", "18")
                run("screenshot", "latest", "-o", str(PICTURES / name), *where)
        finally:
            subprocess.run([*AGENT, "stop"], env=environment, capture_output=True, check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())

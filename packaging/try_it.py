"""What `make run` does: daemon, a real sample run, the app; with no display the window is rendered to a PNG."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-P", "-m", "traceview"]
AGENT = [sys.executable, "-P", "-m", "traceview_agent"]
PICTURE = Path(__file__).resolve().parents[1] / "build" / "traceview.png"


def main() -> int:
    """Runs the sample with a window where there is a display, else renders it; returns the exit code."""
    if sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return subprocess.run([*COMMAND, "demo"], check=False).returncode
    was_up = subprocess.run([*AGENT, "status"], capture_output=True, check=False).returncode == 0
    PICTURE.parent.mkdir(exist_ok=True)
    try:
        subprocess.run([*COMMAND, "demo", "--no-window", "--pace", "0.2"], check=True)
        subprocess.run(
            [*COMMAND, "screenshot", "latest", "-o", str(PICTURE), "--span", "draft decision", "--at-step", "18"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    except subprocess.CalledProcessError as error:
        return error.returncode
    finally:
        if not was_up:
            subprocess.run([*AGENT, "stop"], capture_output=True, check=False)
    print(f"There is no display, so the window was rendered to {PICTURE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

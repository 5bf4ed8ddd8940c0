"""`python -m traceview`: the same as the command `traceview`."""

import sys

from traceview.cli import main

if __name__ == "__main__":
    sys.exit(main())

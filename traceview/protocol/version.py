"""The one version of SDK, daemon, app and file format's writer."""

from typing import Final

VERSION: Final = "0.1.0"

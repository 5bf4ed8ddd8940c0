"""`traceview-agent keys [--client NAME]`: makes keys, and says what to do with them."""

from __future__ import annotations

import sys
from typing import Final

from traceview.protocol.places import OTLP_HTTP_PORT, Places
from traceview_agent.keys import KeysError, load_keys, make_keys

_TOLD: Final = """\
the keys of {client!r} are in {folder}

On this machine, open the daemon to others:
  traceview-agent start --listen ADDRESS

On the other one, for programs with the traceview SDK, after copying {client_file}:
  TRACEVIEW_ENDPOINT=tcp://ADDRESS:{zmq_port}
  TRACEVIEW_SERVER_KEY='{public}'
  TRACEVIEW_CLIENT_KEY=/where/it/is/{client}.key_secret

For programs with OpenTelemetry; the token travels in clear, so trust the network or tunnel it:
  OTEL_EXPORTER_OTLP_ENDPOINT=http://ADDRESS:{http_port}
  OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20$(cat {token_file})"

Delete {client_public} to shut {client!r} out again."""


def keys(places: Places, client: str) -> int:
    """Makes what is missing and prints what belongs where; returns the exit code."""
    folder = places.home / "keys"
    try:
        make_keys(folder, client)
        public = load_keys(folder).public.decode()
    except KeysError as error:
        print(f"traceview-agent: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"traceview-agent: {error.filename or folder} can't be used: {error.strerror or error}", file=sys.stderr)
        return 2
    print(
        _TOLD.format(
            client=client,
            folder=folder,
            client_file=folder / "clients" / f"{client}.key_secret",
            client_public=folder / "clients" / f"{client}.key",
            token_file=folder / "token",
            public=public,
            http_port=OTLP_HTTP_PORT,
            zmq_port=OTLP_HTTP_PORT - 2,
        )
    )
    return 0

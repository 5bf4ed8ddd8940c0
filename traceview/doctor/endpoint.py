"""The doctor's look at the way from programs here to their daemon: its address, and the keys for another machine."""

from __future__ import annotations

import ipaddress
import os
import uuid
from pathlib import Path
from typing import Final

from traceview.doctor.check import Check, attention, failed, ok
from traceview.protocol import wire
from traceview.protocol.places import Places

_ANSWER_MS: Final = 2_000
_KEY_VARIABLES: Final = ("TRACEVIEW_SERVER_KEY", "TRACEVIEW_CLIENT_KEY")
_GET_KEYS: Final = (
    "`traceview-agent keys --client NAME` on the daemon's machine prints what to set as TRACEVIEW_SERVER_KEY and "
    "TRACEVIEW_CLIENT_KEY here"
)


def is_far(endpoint: str) -> bool:
    """Whether programs send to another machine."""
    host = endpoint.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    try:
        return endpoint.startswith("tcp://") and not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def keys(places: Places) -> Check:
    """The CurveZMQ keys of programs that send to another machine."""
    from traceview.sdk.curve import KeysUnusable, key_options

    endpoint, server, client = places.endpoint, *map(os.environ.get, _KEY_VARIABLES)
    if not endpoint.startswith("tcp://"):
        if not server and not client:
            return ok("keys", "none needed: programs send within this machine")
        said = f"{' and '.join(filter(os.environ.get, _KEY_VARIABLES))} set, but {endpoint} is within this machine"
        return attention("keys", said, "set TRACEVIEW_ENDPOINT=tcp://ADDRESS:4316 too, or unset them")
    if not server:
        if not is_far(endpoint):
            return ok("keys", f"none needed: {endpoint} is this machine")
        return failed("keys", f"TRACEVIEW_SERVER_KEY is not set: {endpoint} takes nothing in clear", _GET_KEYS)
    try:
        key_options(endpoint)
    except KeysUnusable as error:
        return failed("keys", str(error), _GET_KEYS)
    if os.name == "posix" and client and Path(client).stat().st_mode & 0o077:
        return attention("keys", f"{client} can be read by other users", f"chmod 600 '{client}'")
    return ok("keys", f"{client} for {endpoint}")


def hello(places: Places) -> Check:
    """Says hello as a program would, and waits for the answer."""
    import zmq

    from traceview.sdk.curve import KeysUnusable, key_options

    with zmq.Context() as context, context.socket(zmq.DEALER) as link:
        link.linger, link.ipv6 = 0, True
        try:
            options = key_options(places.endpoint)
            for option, value in options:
                link.set(option, value)
            with link.get_monitor_socket(zmq.EVENT_CONNECTED) as events:
                link.connect(places.endpoint)
                link.send(wire.encode_header(wire.Hello(uuid.uuid4().bytes)))
                frames = link.recv_multipart() if link.poll(_ANSWER_MS) else []
                reached = bool(events.poll(0))
                link.disable_monitor()
        except KeysUnusable as error:
            return failed("endpoint", f"{places.endpoint} was not tried: {error}", _GET_KEYS)
        except zmq.ZMQError as error:
            said = f"{places.endpoint} can't be used: {error}"
            return failed("endpoint", said, "set TRACEVIEW_ENDPOINT to ipc://PATH or tcp://127.0.0.1:PORT")
    if not frames and places.endpoint.startswith("tcp://"):
        return _silent(places.endpoint, reached=reached, keys=bool(options))
    try:
        answer = wire.decode_downstream(frames[0]) if frames else None
    except wire.WireError:
        return failed("endpoint", f"another program answers on {places.endpoint}", "set TRACEVIEW_ENDPOINT")
    if isinstance(answer, wire.Ack):
        return ok("endpoint", f"{places.endpoint} answers")
    if answer is not None:
        said = f"{places.endpoint} refuses: {answer.reason}"
        return failed("endpoint", said, "install the same traceview for the program and the daemon")
    remedy = "is TRACEVIEW_ENDPOINT the same for the daemon? traceview-agent stop && traceview-agent start"
    return failed("endpoint", f"{places.endpoint} does not answer", remedy)


def _silent(endpoint: str, *, reached: bool, keys: bool) -> Check:
    """Why an address on the network does not answer."""
    if not reached:
        remedy = (
            "is the daemon there up (traceview-agent status), does it --listen, does a firewall let the port through?"
        )
        return failed("endpoint", f"{endpoint} can't be reached", remedy)
    if not keys:
        return failed("endpoint", f"{endpoint} does not answer what is sent in clear", _GET_KEYS)
    remedy = "is TRACEVIEW_SERVER_KEY that daemon's, and this client's .key in its keys/clients? " + _GET_KEYS
    return failed("endpoint", f"{endpoint} does not take these keys", remedy)

"""What a turn costs on disk while a conversation grows, in each dialect, and how fast it reads back.

    python tests/bench/conversation_bytes.py [--turns 1000]

Prints one JSON document. Each turn is one span with everything said so far as its input, one transaction a turn, as a
live program sends it. `bytes_per_turn` is what the file grew by, as a mean over ten spans of time; `flat` is the last
tenth beside the second one. `plain_bytes_per_turn` is what the last turn takes encoded.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

from traceview.protocol.records import STATE_EVENT, Event, Facts, SpanPart
from traceview.store import StoreReader, StoreWriter, export_store
from traceview.store.encoding import encode

TRACE = b"conversation 016"
START_NS = 1_790_000_000_000_000_000
PROSE = "\n".join(topics.values())

Message = dict[str, Any]


def messages(turns: int) -> list[Message]:
    """The system's message, then a question, a tool call, its result and an answer a turn: 1.4 kB in all."""
    dice = random.Random(16)
    found: list[Message] = [{"role": "system", "content": _prose(dice, 1_500)}]
    for turn in range(turns):
        call = {"id": f"call_{turn}", "function": {"name": "search", "arguments": json.dumps({"q": _prose(dice, 40)})}}
        found += [
            {"role": "user", "content": _prose(dice, 200)},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"call_{turn}", "content": _prose(dice, 600)},
            {"role": "assistant", "content": _prose(dice, 400)},
        ]
    return found


def _prose(dice: random.Random, size: int) -> str:
    place = dice.randrange(len(PROSE) - size)
    return PROSE[place : place + size]


def flattened(said: Sequence[Message]) -> dict[str, Any]:
    """The messages as OpenInference writes them, between other attributes."""
    found: dict[str, Any] = {"openinference.span.kind": "LLM", "llm.token_count.prompt": sum(map(len, map(str, said)))}
    for number, message in enumerate(said):
        prefix = f"llm.input_messages.{number}.message."
        for key, value in message.items():
            if key == "tool_calls":
                for at, call in enumerate(value):
                    inner = f"{prefix}tool_calls.{at}.tool_call."
                    found[inner + "id"] = call["id"]
                    found[inner + "function.name"] = call["function"]["name"]
                    found[inner + "function.arguments"] = call["function"]["arguments"]
            else:
                found[prefix + key] = value
    return {**found, "llm.model_name": "gpt-4o", "session.id": "s-42"}


def genai(said: Sequence[Message]) -> str:
    """The messages as the GenAI conventions have them: JSON with parts."""
    return json.dumps(
        [{"role": m["role"], "parts": [{"type": "text", "content": m["content"]}]} for m in said], ensure_ascii=False
    )


def request(said: Sequence[Message]) -> str:
    """A request as instrumentations of clients write it into `input.value`."""
    return json.dumps({"model": "gpt-4o", "messages": said, "temperature": 0.2}, separators=(",", ":"))


def window(said: Sequence[Message]) -> list[Message]:
    """What a program sends that keeps the latest messages only, behind a system's message that tells the time."""
    clock = {"role": "system", "content": f"It is {len(said)} o'clock. {said[0]['content']}"}
    return [clock, *said[1:][-400:]]


DIALECTS: dict[str, Callable[[Sequence[Message]], dict[str, Any]]] = {
    "sdk_input_list": lambda said: {"input": list(said)},
    "sdk_input_nested": lambda said: {"input": {"request": {"messages": list(said), "temperature": 0.2}}},
    "sdk_state_event": lambda said: {
        "events": (Event(START_NS, STATE_EVENT, {"context": list(said), "memory": {"turns": len(said)}}),)
    },
    "openinference_flattened": lambda said: {"attributes": flattened(said)},
    "openinference_input_value": lambda said: {"attributes": {"input.value": request(said), "input.mime_type": "json"}},
    "genai_json": lambda said: {"attributes": {"gen_ai.input.messages": genai(said), "gen_ai.request.model": "x"}},
    "text": lambda said: {"input": "\n".join(f"{m['role']}: {m['content']}" for m in said)},
    "sliding_window": lambda said: {"input": window(said)},
}


def measure(folder: Path, name: str, said: Sequence[Message], turns: int) -> dict[str, Any]:
    """One conversation, written turn by turn and read back."""
    make = DIALECTS[name]

    def part(turn: int) -> SpanPart:
        start = START_NS + turn * 1_000_000
        fields = make(said[: 1 + turn * 4])
        return SpanPart(TRACE, turn.to_bytes(8, "big"), None, "chat", "llm", start, start + 900_000, **fields)

    path = folder / f"{name}.db"
    writer = StoreWriter(path, lambda _: Facts(), floor_bytes=0)
    meter = StoreReader(path)
    sizes, spent = [_used(meter)], 0.0
    for turn in range(1, turns + 1):
        sent = part(turn)
        begun = time.perf_counter()
        writer.apply([sent], session=b"b" * 16, seq=turn)
        spent += time.perf_counter() - begun
        if turn % (turns // 10) == 0:
            sizes.append(_used(meter))
    writer.close()
    meter.close()
    steps = [round((after - before) / (turns // 10)) for before, after in itertools.pairwise(sizes)]
    return {
        "bytes_per_turn": steps,
        "flat": round(steps[-1] / steps[1], 2),
        "plain_bytes_per_turn": len(encode(part(turns))),
        "write_ms_per_turn": round(spent / turns * 1e3, 2),
        **_read(path, part, turns),
    }


def _used(reader: StoreReader) -> int:
    (pages,) = reader._connection.execute("PRAGMA page_count").fetchone()  # type: ignore[union-attr]
    return int(pages) * 8_192


def _read(path: Path, part: Callable[[int], SpanPart], turns: int) -> dict[str, Any]:
    reader = StoreReader(path)
    begun = time.perf_counter()
    reader.payload(TRACE, turns.to_bytes(8, "big"))
    cold = time.perf_counter() - begun
    same = _is_same(reader, part)
    begun = time.perf_counter()
    for _ in reader.payloads(TRACE):
        pass
    whole = time.perf_counter() - begun
    begun = time.perf_counter()
    target = path.with_suffix(".traceview")
    export_store(reader, [TRACE], target, lambda _: Facts())
    exporting = time.perf_counter() - begun
    reader.close()
    copy = StoreReader(target)
    same_copy = _is_same(copy, part)
    copy.close()
    return {
        "read_last_turn_ms": round(cold * 1e3, 1),
        "read_all_turns_s": round(whole, 2),
        "export_s": round(exporting, 2),
        "export_bytes": target.stat().st_size,
        "reads_back_the_same": same and same_copy,
    }


def _is_same(reader: StoreReader, part: Callable[[int], SpanPart]) -> bool:
    """Whether every turn reads back as it was sent, value for value and, encoded again, byte for byte."""
    for span_id, payload in reader.payloads(TRACE):
        sent = part(int.from_bytes(span_id, "big"))
        for field in ("input", "attributes", "events"):
            found, expected = getattr(payload, field), getattr(sent, field)
            if found != expected or encode(found) != encode(expected):
                return False
    return True


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--turns", type=int, default=1_000)
    options.add_argument("--only", choices=DIALECTS, nargs="*", default=list(DIALECTS))
    given = options.parse_args()
    said = messages(given.turns)
    folder = Path(tempfile.mkdtemp(prefix="traceview-bench-"))
    try:
        found = {name: measure(folder, name, said, given.turns) for name in given.only}
    finally:
        shutil.rmtree(folder)
    report = {
        "python": sys.version.split()[0],
        "turns": given.turns,
        "new_bytes_per_turn": round(len(encode(said)) / given.turns),
        "dialects": found,
    }
    print(json.dumps(report, indent=2))
    return 0 if all(each["reads_back_the_same"] for each in found.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())

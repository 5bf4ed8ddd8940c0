"""What a reader saw besides spans: how many it rejected and why, how many records of other signals it passed over."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts of one file or request. `message` explains the first rejection; `skipped` counts by name (`logs` …).

    `read_bytes` is how much of a document has been turned into spans, for progress.
    """

    rejected: int = 0
    message: str = ""
    read_bytes: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    def reject(self, message: str, count: int = 1) -> None:
        """Counts spans that can't be kept; the first message stands for all."""
        self.rejected += count
        self.message = self.message or message

    def skip(self, signal: str, count: int = 1) -> None:
        """Counts records which are fine but hold no spans."""
        self.skipped[signal] = self.skipped.get(signal, 0) + count

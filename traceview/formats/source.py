"""A file as one stream of plain bytes: compression peeled off, bombs refused, progress told, cancelling possible."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Protocol

from traceview.formats.errors import Cancelled, FormatError

Progress = Callable[[int, int], bool]

# A compressed file may grow to this size, and beyond the first 256 MiB no more than 500-fold: real traces shrink to a
# tenth or a fiftieth, gzip bombs grow 1,000-fold and zstd bombs 30,000-fold.
MAX_INFLATED: Final = 4 * 1024**3
_UNSUSPECTED: Final = 256 * 1024**2
_MAX_RATIO: Final = 500
_MAX_LAYERS: Final = 3
HEAD_BYTES: Final = 64 * 1024
_CHUNK: Final = 1024 * 1024
_STEP: Final = 4 * 1024 * 1024

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"


class Source:
    """The bytes of a file after decompression. `done` and `total` are bytes of the file itself, for progress.

    `weight` is the share of the work that reading is: 0.5 where a document is read first and turned into spans then.

    Raises FormatError where the file can't be opened or its compression is damaged, Cancelled when `progress` (called
    at least every 4 MiB) returns False.
    """

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self.path = path
        self._progress = progress
        self._told = 0
        self.weight = 1.0
        self.packing: tuple[str, ...] = ()
        try:
            self.total = path.stat().st_size
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise FormatError(f"{path} can't be opened: {error.strerror or error}") from error
        try:
            self._stream: io.BufferedReader[Any] = io.BufferedReader(_Counted(self), HEAD_BYTES)
            self._peel()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *about: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file. Safe to call twice."""
        self._file.close()

    @property
    def done(self) -> int:
        """How many bytes of the file have been read."""
        return self._file.tell()

    def tell(self, done: int) -> None:
        """Reports progress; raises Cancelled when the caller wants no more."""
        if self._progress is not None and not self._progress(min(done, self.total), self.total):
            raise Cancelled(f"reading {self.path} was cancelled")

    def tell_if_due(self) -> None:
        """Reports progress when 4 MiB were read since it was last told."""
        done = self.done
        if abs(done - self._told) >= _STEP:
            self._told = done
            self.tell(int(done * self.weight))

    def peek(self) -> bytes:
        """The next bytes without consuming them: up to 64 KiB, fewer only near the end."""
        return self._guarded(lambda: self._stream.peek(HEAD_BYTES))

    def read_line(self) -> bytes:
        """The next line with its line feed; b"" at the end. Lines end at \\n and nowhere else."""
        return self._guarded(self._stream.readline)

    def read_first_line(self) -> bytearray:
        """Like `read_line`, for a line that may be all of a big file: it is never held twice."""
        line = bytearray()
        while head := self.peek():
            end = head.find(b"\n") + 1
            line += self.read(end or len(head))
            if end:
                break
        return line

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end. A lying length costs no memory."""
        pieces, left = [], size
        while left > 0:
            piece = self._guarded(partial(self._stream.read, min(left, 16 * _CHUNK)))
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read_rest(self, whole: bytearray) -> bytearray:
        """Adds everything that is left to `whole` and returns it."""
        while piece := self._guarded(lambda: self._stream.read(_CHUNK)):
            whole += piece
        return whole

    def _peel(self) -> None:
        while (head := self.peek()).startswith((GZIP, ZSTD)):
            if len(self.packing) == _MAX_LAYERS:
                raise FormatError(f"{self.path} is compressed more than {_MAX_LAYERS} times over: unpack it first")
            packing = "gzip" if head.startswith(GZIP) else "zstd"
            self.packing += (packing,)
            inner = _Zstd(self._stream) if packing == "zstd" else gzip.GzipFile(fileobj=self._stream)
            self._stream = io.BufferedReader(_Bounded(inner, self), HEAD_BYTES)

    def _guarded(self, read: Callable[[], bytes]) -> bytes:
        """Runs a read and turns what decompressors and disks raise into FormatError."""
        try:
            return read()
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            packed = f"{self.packing[-1]}-compressed and cut off or damaged near byte {self.done:,}"
            raise FormatError(f"{self.path} is {packed} ({error}): copy or download it again") from error
        except OSError as error:
            raise FormatError(f"{self.path} can't be read: {error.strerror or error}") from error


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Counted(io.RawIOBase):
    """The file itself, telling progress as it is read."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._source.tell_if_due()
        return self._source._file.readinto(buffer)  # type: ignore[attr-defined, no-any-return]


class _Bounded(io.RawIOBase):
    """A decompressor that fills buffers to the brim (so that a peek shows something) and refuses bombs."""

    def __init__(self, inner: _Readable, source: Source) -> None:
        self._inner = inner
        self._source = source
        self._inflated = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        filled = 0
        while filled < len(buffer):
            piece = self._inner.read(len(buffer) - filled)
            if not piece:
                break
            buffer[filled : filled + len(piece)] = piece
            filled += len(piece)
        self._inflated += filled
        self._check()
        return filled

    def _check(self) -> None:
        suspect = self._inflated > _UNSUSPECTED and self._inflated > _MAX_RATIO * max(1, self._source.done)
        if suspect or self._inflated > MAX_INFLATED:
            raise FormatError(
                f"{self._source.path} unpacks to more than {self._inflated // 1024**2:,} MiB, which looks like a trap: "
                "if you trust it, unpack it first and open the result"
            )


class _Zstd:
    """Unpacks zstd frames, one after the other. Unlike zstandard's own reader it notices where the last is cut off."""

    # 4 bytes can stand for 128 KiB, so that one step of this size yields 64 MiB at most.
    _STEP = 2048

    def __init__(self, stream: BinaryIO | io.BufferedReader[Any]) -> None:
        import zstandard

        self._stream = stream
        self._error = zstandard.ZstdError
        self._begin = zstandard.ZstdDecompressor().decompressobj
        self._frame: Any = None
        self._left = b""
        self._ready = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, at most `size`; b"" at the end. Raises EOFError where a frame is damaged or cut off."""
        while not self._ready:
            packed = self._left or self._stream.read(self._STEP)
            if not packed:
                if self._frame is not None:
                    raise EOFError("the file ends inside a zstd frame")
                return b""
            self._ready = memoryview(self._unpacked(packed))
        piece, self._ready = self._ready[:size], self._ready[size:]
        return bytes(piece)

    def _unpacked(self, packed: bytes) -> bytes:
        if self._frame is None:
            self._frame = self._begin()
        try:
            data: bytes = self._frame.decompress(packed)
        except self._error as error:
            raise EOFError(str(error)) from error
        self._left = b""
        if self._frame.eof:
            self._left, self._frame = self._frame.unused_data, None
        return data


def inflate_message(data: bytes, path: Path) -> bytes:
    """One zstd-compressed message (the collector's file exporter packs each by itself), at most 4 GiB of it."""
    reader, pieces, size = _Zstd(io.BytesIO(data)), [], 0
    try:
        while piece := reader.read(_CHUNK):
            size += len(piece)
            if size > MAX_INFLATED or (size > _UNSUSPECTED and size > _MAX_RATIO * len(data)):
                raise FormatError(
                    f"{path} holds a message that unpacks to more than {size // 1024**2:,} MiB: don't open it"
                )
            pieces.append(piece)
    except EOFError as error:
        raise FormatError(f"{path} holds a zstd message that is damaged ({error}): copy or export it again") from error
    return b"".join(pieces)

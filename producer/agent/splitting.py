"""Cut what was read of a file into records. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Splitting:
    """How a flow's files are cut: by lines, by a start pattern, or several lines together.

    `together_bytes` packs lines up to that size into one record (0: each its own).
    """

    start: re.Pattern[str] | None = None
    together_bytes: int = 0
    footer: re.Pattern[str] | None = None

    def split(self, data: bytes, *, is_all: bool) -> list[bytes]:
        """The complete records at the start of `data`; what is left waits for more.

        `is_all` says that the file has not grown meanwhile, so that a record of several lines
        is complete although no next one follows.
        """
        end = data.rfind(b"\n") + 1
        if not end:
            return []
        lines = [line + b"\n" for line in data[: end - 1].split(b"\n")]
        if self.start is not None:
            return self._by_pattern(lines, is_all=is_all)
        if self.together_bytes:
            return _together(lines, self.together_bytes)
        return lines

    def is_footer(self, record: bytes) -> bool:
        """Whether the file ends here, whatever follows."""
        if self.footer is None:
            return False
        return self.footer.fullmatch(record.decode("utf-8", "replace").strip()) is not None

    def _by_pattern(self, lines: list[bytes], *, is_all: bool) -> list[bytes]:
        """The first line always belongs to the first record, matching or not."""
        assert self.start is not None
        records, current = [], [lines[0]]
        for line in lines[1:]:
            if self.start.match(line.decode("utf-8", "replace")):
                records.append(b"".join(current))
                current = []
            current.append(line)
        return [*records, b"".join(current)] if is_all else records


def _together(lines: list[bytes], size: int) -> list[bytes]:
    records: list[bytes] = []
    current: list[bytes] = []
    length = 0
    for line in lines:
        if current and length + len(line) > size:
            records.append(b"".join(current))
            current, length = [], 0
        current.append(line)
        length += len(line)
    return [*records, b"".join(current)]


def truncate(record: bytes, max_bytes: int, terminator: bytes) -> bytes:
    """A record that fits: too long a one is cut and ends with the terminator."""
    if len(record) <= max_bytes:
        return record
    return record[: max_bytes - len(terminator)] + terminator

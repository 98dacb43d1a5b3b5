# SPDX-License-Identifier: Apache-2.0
"""The Redis protocol (RESP 2), as far as a proxy and a test need it."""


class Frames:
    """Cuts a stream of bytes into whole requests or replies, unread."""

    def __init__(self):
        self.buffer = bytearray()
        self.at = 0  # of the element to look at next
        self.needed = 1  # elements that the frame still lacks

    def feed(self, data):
        """Takes bytes, and answers the frames that they complete."""
        self.buffer += data
        frames = []
        while self.step():
            if self.needed == 0:
                frames.append(bytes(self.buffer[:self.at]))
                del self.buffer[:self.at]
                self.at, self.needed = 0, 1
        return frames

    def step(self):
        """Passes over one element; false where more bytes are needed."""
        end = self.buffer.find(b"\r\n", self.at)
        if end < 0:
            return False
        kind, after, more = self.buffer[self.at:self.at + 1], end + 2, 0
        if kind in b"$*":
            length = int(self.buffer[self.at + 1:end])
            if kind == b"*":
                more = max(length, 0)
            elif length >= 0:
                after += length + 2
        if after > len(self.buffer):
            return False
        self.at = after
        self.needed += more - 1
        return True


class Error(Exception):
    """An error reply."""


def decode(frame):
    """A frame as bytes, int, None, Error (not raised) or a list of these."""
    return _decode(frame, 0)[0]


def _decode(frame, at):
    end = frame.index(b"\r\n", at)
    kind, rest = frame[at:at + 1], frame[at + 1:end]
    if kind == b"$":
        length = int(rest)
        if length < 0:
            return None, end + 2
        return frame[end + 2:end + 2 + length], end + 4 + length
    if kind == b"*":
        items, after = [], end + 2
        for _ in range(max(int(rest), 0)):
            item, after = _decode(frame, after)
            items.append(item)
        return items, after
    if kind == b":":
        return int(rest), end + 2
    return (Error(rest.decode()) if kind == b"-" else rest), end + 2


def encode(words):
    """A request, or a reply that is a list of strings."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)

# SPDX-License-Identifier: Apache-2.0
"""What stands between the workers and Redis: it passes requests and answers
on, knows which operation is between the two, and lets a fault in there."""
import asyncio
import collections
import time

import resp

# The operations that faults aim at, by their scripts.
OPERATIONS = {"put": "put", "lease_renew": "renew", "model_publish": "publish"}
PIECE = 1 << 16


class Link:
    """A worker's connection to a server, through the proxy."""

    def __init__(self, hub, worker, reader, writer, sentinel):
        self.hub, self.worker, self.sentinel = hub, worker, sentinel
        self.client_reader, self.client = reader, writer
        self.reader = self.server = None
        self.pending = collections.deque()  # operations without an answer
        self.cut = False
        self.granted = None  # token and time, until replicas have it

    def operations(self):
        """Those between request and answer."""
        return {OPERATIONS[name] for name in self.pending
                if name in OPERATIONS}

    def cut_client(self):
        """The worker's side ends, as when a cable is pulled."""
        self.cut = True
        self.client.transport.abort()

    def close(self):
        self.cut_client()
        if self.server is not None:
            self.server.transport.abort()

    async def run(self, port):
        try:
            self.reader, self.server = await asyncio.open_connection(
                "127.0.0.1", port)
            requests = asyncio.ensure_future(self.pass_requests())
            answers = asyncio.ensure_future(self.pass_answers())
            await asyncio.wait([requests, answers],
                               return_when=asyncio.FIRST_COMPLETED)
            # what its sender left behind is still answered
            if requests.done() and self.pending:
                await asyncio.wait([answers], timeout=0.5)
            for end in (requests, answers):
                end.cancel()
            await asyncio.gather(requests, answers, return_exceptions=True)
        except OSError:
            pass
        finally:
            self.close()

    async def pass_requests(self):
        frames = resp.Frames()
        while True:
            data = await self.client_reader.read(PIECE)
            if not data:
                return
            for frame in frames.feed(data):
                words = resp.decode(frame)
                name = self.hub.name_of(words)
                self.pending.append(name)
                await self.hub.at_request(self, name, words)
                if not self.server.transport.is_closing():
                    self.server.write(frame)

    async def pass_answers(self):
        frames = resp.Frames()
        while True:
            data = await self.reader.read(PIECE)
            if not data:
                return
            for frame in frames.feed(data):
                name = self.pending[0] if self.pending else ""
                frame = await self.hub.at_answer(self, name, frame)
                if self.pending:
                    self.pending.popleft()
                if not self.cut:
                    self.client.write(frame)


class Hub:
    """All links; what passes is looked at here."""

    def __init__(self, scripts, wait):
        self.scripts = scripts  # by digest, and by source
        self.wait = wait  # replicas without which nothing counts
        self.links = set()
        self.listeners = []
        self.closed = set()  # ports of servers that take no new connection
        self.armed = None  # the fault that waits for its operation
        self.grants = {}  # token to the store's time of the grant
        self.seen = []  # when trainers got on: monotonic time
        self.ports = {}  # worker and server's port to the proxy's

    async def listen(self, worker, port, sentinel=False):
        """A port for worker that leads to the server at port."""
        async def accept(reader, writer):
            if port in self.closed:
                writer.transport.abort()
                return
            link = Link(self, worker, reader, writer, sentinel)
            self.links.add(link)
            try:
                await link.run(port)
            finally:
                self.links.discard(link)
        listener = await asyncio.start_server(accept, "127.0.0.1", 0)
        self.listeners.append(listener)
        own = listener.sockets[0].getsockname()[1]
        self.ports[worker, port] = own
        return own

    async def close(self):
        for listener in self.listeners:
            listener.close()
        for link in list(self.links):
            link.close()

    def close_server(self, port):
        """No connection to a server comes about until it is opened."""
        self.closed.add(port)

    def name_of(self, words):
        """The script that a request runs, or its command."""
        command = words[0].upper()
        if command == b"EVALSHA":
            return self.scripts.get(words[1].decode(), "?")
        if command == b"EVAL":
            return self.scripts.get(words[1], "?")
        return command.decode()

    async def hold(self, link):
        """The armed fault strikes; it goes on though the link may end."""
        fault, self.armed = self.armed, None
        strike = asyncio.ensure_future(fault.strike(link))
        return await asyncio.shield(strike)

    def awaits(self, link, name, phase):
        return (self.armed is not None and self.armed.phase == phase and
                OPERATIONS.get(name) == self.armed.operation and
                not link.cut)

    async def at_request(self, link, name, words):
        if self.awaits(link, name, "before"):
            await self.hold(link)

    async def at_answer(self, link, name, frame):
        """What becomes of an answer; it may be cut short."""
        if link.sentinel:
            return self.rewrite_place(link, frame)
        self.note(link, name, frame)
        if self.awaits(link, name, "after") and \
                not frame.startswith(b"-NOSCRIPT"):
            part = await self.hold(link)
            if part is not None and not link.cut:
                link.client.write(frame[:part])
                await link.client.drain()
                link.cut_client()
        return frame

    def rewrite_place(self, link, frame):
        """A Sentinel names the master; the worker is to go through us."""
        answer = resp.decode(frame)
        if isinstance(answer, list) and len(answer) == 2 and answer[1]:
            own = self.ports.get((link.worker, int(answer[1])))
            if own is not None:
                return resp.encode([answer[0], own])
        return frame

    def note(self, link, name, frame):
        """Remembers grants that count, and when a trainer got on."""
        if name == "WAIT" and link.granted is not None:
            if int(frame[1:-2]) >= self.wait:
                self.grants.setdefault(*link.granted)
            link.granted = None
        if name not in ("lease_acquire", "lease_renew", "model_publish"):
            return
        answer = resp.decode(frame)
        word = answer[0] if isinstance(answer, list) and answer else answer
        if word == b"granted":
            link.granted = int(answer[1][0]), int(answer[1][3])
            if self.wait == 0:
                self.grants.setdefault(*link.granted)
        if word in (b"granted", b"done", b"published"):
            self.seen.append(time.monotonic())

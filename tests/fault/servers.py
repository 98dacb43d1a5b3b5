# SPDX-License-Identifier: Apache-2.0
"""Redis servers and Sentinels of a test: real ones, on free ports of the
loopback, in a folder of the test's, killed with it."""
import asyncio
import contextlib
import ctypes
import signal
import socket

import resp

READY_SECONDS = 20
DOWN_AFTER_MS = 1500
AGREE_SECONDS = 180  # a loaded machine has Sentinels pause for 30 s at a time
ASK_AGAIN_SECONDS = 15
PR_SET_PDEATHSIG = 1
MASTER = "fleet"


def free_port():
    with socket.socket() as handle:
        handle.bind(("127.0.0.1", 0))
        return handle.getsockname()[1]


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


async def call(port, *words, seconds=5):
    """One command on a connection of its own; resp.Error is raised."""
    async def exchange():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(resp.encode(words))
            frames, reply = resp.Frames(), []
            while not reply:
                data = await reader.read(1 << 16)
                if not data:
                    raise ConnectionError("closed")
                reply = frames.feed(data)
            return resp.decode(reply[0])
        finally:
            writer.transport.abort()
    answer = await asyncio.wait_for(exchange(), seconds)
    if isinstance(answer, resp.Error):
        raise answer
    return answer


async def try_call(port, *words):
    """The answer, or None where there is none."""
    try:
        return await call(port, *words, seconds=1)
    except (OSError, asyncio.TimeoutError, resp.Error):
        return None


class Server:
    """A redis-server; it keeps folder and port when it starts again."""

    def __init__(self, folder, fsync):
        self.folder = folder
        self.folder.mkdir()
        self.port = free_port()
        self.process = None
        self.options = [
            "--port", str(self.port), "--bind", "127.0.0.1", "--dir",
            str(folder), "--logfile", "log", "--save", "", "--appendonly",
            "yes", "--appendfsync", fsync, "--repl-diskless-sync-delay", "0",
            "--auto-aof-rewrite-percentage", "0", "--repl-timeout", "5"]

    async def start(self, *more):
        self.process = await asyncio.create_subprocess_exec(
            "redis-server", *self.options, *more,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, preexec_fn=die_with_parent)
        for _ in range(READY_SECONDS * 50):
            if await try_call(self.port, "PING") == b"PONG":
                return
            await asyncio.sleep(0.02)
        raise RuntimeError(f"the redis-server in {self.folder} never answers")

    async def kill(self):
        if self.process is None or self.process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    def signal(self, number):
        self.process.send_signal(number)


class Sentinel:
    """A redis-sentinel that watches the master at a port."""

    def __init__(self, folder, master_port):
        folder.mkdir()
        self.port = free_port()
        self.process = None
        self.file = folder / "sentinel.conf"
        self.file.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {folder}\nlogfile log\n"
            f"sentinel monitor {MASTER} 127.0.0.1 {master_port} 2\n"
            f"sentinel down-after-milliseconds {MASTER} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {MASTER} 4000\n"
            f"sentinel parallel-syncs {MASTER} 1\n")

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            "redis-server", str(self.file), "--sentinel",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, preexec_fn=die_with_parent)

    kill = Server.kill


class Single:
    """One server, and how to break it."""

    sentinels = ()
    failover_ways = ()

    def __init__(self, folder, fsync):
        self.servers = [Server(folder / "redis", fsync)]

    async def start(self):
        await self.servers[0].start()

    async def stop(self):
        for one in (*self.sentinels, *self.servers):
            await one.kill()

    async def master(self):
        return self.servers[0]

    async def settle(self):
        """Waits until the servers are whole again."""
        await call(self.servers[0].port, "PING")

    async def restart(self):
        """Kills the master; it is back when this ends."""
        server = await self.master()
        await server.kill()
        await server.start()
        return server


class Watched(Single):
    """A master, a replica and three Sentinels."""

    failover_ways = ("ask", "kill", "hang")

    def __init__(self, folder, fsync):
        self.servers = [Server(folder / name, fsync)
                        for name in ("redis-1", "redis-2")]
        self.sentinels = [
            Sentinel(folder / f"sentinel-{i}", self.servers[0].port)
            for i in range(3)]

    async def start(self):
        one, other = self.servers
        await one.start()
        await other.start("--replicaof", "127.0.0.1", str(one.port))
        for sentinel in self.sentinels:
            await sentinel.start()
        await self.settle()
        for sentinel in self.sentinels:
            await self.until(lambda port=sentinel.port: self.sees_all(port))

    @staticmethod
    async def until(question, seconds=AGREE_SECONDS):
        """Asks until the answer is true, and answers it."""
        for _ in range(seconds * 20):
            answer = await question()
            if answer:
                return answer
            await asyncio.sleep(0.05)
        raise RuntimeError("the servers do not come to an agreement")

    async def sees_all(self, port):
        """Whether that Sentinel knows the replica and the other two."""
        state = await try_call(port, "SENTINEL", "MASTER", MASTER)
        facts = dict(zip(state[::2], state[1::2])) if state else {}
        return facts.get(b"num-slaves") == b"1" and \
            facts.get(b"num-other-sentinels") == b"2"

    async def named_master(self):
        """The server that most Sentinels name, if they agree."""
        names = [await try_call(sentinel.port, "SENTINEL",
                                "get-master-addr-by-name", MASTER)
                 for sentinel in self.sentinels]
        ports = [int(name[1]) for name in names if name]
        for server in self.servers:
            if ports.count(server.port) == len(self.sentinels):
                return server
        return None

    async def master(self):
        return await self.until(self.named_master)

    async def is_whole(self):
        """Whether the master is one and its replica follows it."""
        server = await self.named_master()
        role = server and await try_call(server.port, "ROLE")
        if not role or role[0] != b"master" or not role[2]:
            return None
        other = next(s for s in self.servers if s is not server)
        state = await try_call(other.port, "ROLE")
        return state and state[0] == b"slave" and state[3] == b"connected"

    async def is_calm(self):
        """Whether all is whole, and no Sentinel doubts it."""
        for sentinel in self.sentinels:
            state = await try_call(sentinel.port, "SENTINEL", "MASTER", MASTER)
            facts = dict(zip(state[::2], state[1::2])) if state else {}
            if facts.get(b"flags") != b"master" or \
                    int(facts[b"last-ok-ping-reply"]) > DOWN_AFTER_MS:
                return False
        return await self.is_whole()

    async def settle(self):
        await self.until(self.is_calm)

    async def restart(self):
        server = await super().restart()
        await self.settle()
        return server

    async def moved(self, old, seconds=AGREE_SECONDS):
        """Waits until another than old is master."""
        async def other():
            server = await self.named_master()
            if server is None or server is old:
                return None
            role = await try_call(server.port, "ROLE")
            return server if role and role[0] == b"master" else None
        return await self.until(other, seconds)

    async def failover(self, way):
        """Has the replica take over; all is whole when this ends."""
        old = await self.master()
        if way == "ask":
            await self.hand_over(old)
        elif way == "kill":
            await old.kill()
            new = await self.moved(old)
            await old.start("--replicaof", "127.0.0.1", str(new.port))
        else:
            old.signal(signal.SIGSTOP)
            try:
                await self.moved(old)
            finally:
                old.signal(signal.SIGCONT)
        await self.moved(old)
        await self.settle()

    async def hand_over(self, old):
        """A failover that was asked for is given up by the Sentinels where
        the replica is too slow for them, and not tried again."""
        for _ in range(AGREE_SECONDS // ASK_AGAIN_SECONDS):
            await self.until(lambda: self.ask_for_failover(old))
            with contextlib.suppress(RuntimeError):
                return await self.moved(old, ASK_AGAIN_SECONDS)
        raise RuntimeError("the Sentinels never hand over")

    async def ask_for_failover(self, old):
        """True once a Sentinel has begun it."""
        if await self.named_master() not in (old, None):
            return True
        return await try_call(self.sentinels[0].port, "SENTINEL", "FAILOVER",
                              MASTER) == b"OK"

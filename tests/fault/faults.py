# SPDX-License-Identifier: Apache-2.0
"""The faults: each strikes while an operation is between request and answer,
and is over when everything could go on."""
import asyncio
import collections
import signal
import time

import servers

OPERATIONS = ("put", "renew", "publish")
LATE_SECONDS = 0.4
MOST_MISSES = 4  # operations that did not come in time to be hit


class Fault:
    """One fault of a kind, armed for an operation."""

    def __init__(self, stage, kind, operation):
        self.stage, self.kind, self.operation = stage, kind, operation
        self.phase = stage.chance.choice(("before", "after"))
        self.variant = stage.chance.random()
        self.over = asyncio.get_running_loop().create_future()
        self.struck = False

    async def strike(self, link):
        """Does it; answers how many bytes of the answer still pass."""
        self.struck = True
        self.count(link)
        try:
            part = await getattr(self, self.kind)(link)
        except Exception as error:
            self.over.set_exception(error)
            raise
        if self.kind != "memory":
            self.over.set_result(time.monotonic())
        return part

    def count(self, link):
        """It hits what it aims at, and where it hits all, what else is on
        its way."""
        hits = collections.Counter({self.operation: 1})
        if self.kind in EVERYWHERE:
            for other in self.stage.hub.links:
                if other is not link:
                    hits.update(other.operations())
        for operation, times in hits.items():
            self.stage.hits[self.kind, operation] += times

    # ---- workers ----

    async def kill(self, link):
        """kill -9 of the worker; what it sent is on its way."""
        self.stage.worker(link).signal(signal.SIGKILL)
        if self.variant < 0.5:
            link.cut_client()

    async def stop(self, link):
        """SIGSTOP past the lease; then it goes on as if nothing was."""
        worker = self.stage.worker(link)
        worker.signal(signal.SIGSTOP)
        await asyncio.sleep(self.stage.plan.lease_ms / 1000 * 1.3)
        worker.signal(signal.SIGCONT)

    # ---- the network ----

    async def cut(self, link):
        """The connection breaks: in mid-answer, before it, or with the
        request still on its way when the worker has asked again."""
        if self.phase == "before":
            link.cut_client()
            if self.variant < 0.5:
                await asyncio.sleep(LATE_SECONDS)
            return None
        return 3 if self.variant < 0.5 else 0

    # ---- the server ----

    async def restart(self, link):
        """Killed and started again, without its scripts."""
        await self.stage.setup.restart()

    async def reload(self, link):
        """The same, with its scripts loaded before anyone connects."""
        setup, hub = self.stage.setup, self.stage.hub
        ports = {server.port for server in setup.servers}
        hub.closed |= ports
        try:
            server = await setup.restart()
            for source in self.stage.sources:
                await servers.call(server.port, "SCRIPT", "LOAD", source)
        finally:
            hub.closed -= ports

    async def flush(self, link):
        """Forgets its scripts."""
        server = await self.stage.setup.master()
        await servers.call(server.port, "SCRIPT", "FLUSH")

    async def memory(self, link):
        """maxmemory is reached, and for a while nothing can be stored."""
        server = await self.stage.setup.master()
        await servers.call(server.port, "CONFIG", "SET", "maxmemory", "1")

        async def free():
            await asyncio.sleep(0.2 + 0.4 * self.variant)
            await servers.call(server.port, "CONFIG", "SET", "maxmemory", "0")
            self.over.set_result(time.monotonic())
        self.stage.tasks.append(asyncio.ensure_future(free()))

    async def failover(self, link):
        """The replica takes over."""
        ways = self.stage.setup.failover_ways
        way = ways[int(self.variant * len(ways))]
        self.stage.counts[f"failover by {way}"] += 1
        await self.stage.setup.failover(way)


EVERYWHERE = ("restart", "reload", "flush", "memory", "failover")
KINDS = ("kill", "stop", "cut", "restart", "reload", "flush", "memory")


class Stage:
    """Where the faults happen, and how often each has hit what."""

    def __init__(self, plan, chance, setup, hub, fleet):
        self.plan, self.chance, self.setup = plan, chance, setup
        self.hub, self.fleet = hub, fleet
        self.start, self.misses = time.monotonic(), 0
        self.hits = collections.Counter()
        self.counts = fleet.counts
        self.sources = [words for words in hub.scripts
                        if isinstance(words, bytes)]
        self.recoveries = collections.defaultdict(list)
        self.tasks = []  # of faults that last longer than their strike
        self.kinds = KINDS + (("failover",) if setup.failover_ways else ())

    def say(self, text):
        if self.plan.verbose:
            print(f"  {time.monotonic() - self.start:7.2f} {text}", flush=True)

    def worker(self, link):
        return next(worker for worker in self.fleet.workers
                    if worker.name == link.worker)

    def wanted(self):
        """Kinds and operations that were not hit often enough yet."""
        return [(kind, operation) for kind in self.kinds
                for operation in OPERATIONS
                if self.hits[kind, operation] <
                self.plan.goal(kind, operation)]

    async def perform(self):
        """One fault after the other until each has hit often enough."""
        while wanted := self.wanted():
            if self.misses > MOST_MISSES:
                self.fleet.problem("the fleet is at a standstill")
                return
            await self.one(*self.chance.choice(wanted))
            await asyncio.sleep(self.chance.uniform(0, 0.3))

    async def one(self, kind, operation):
        fault = Fault(self, kind, operation)
        self.hub.armed = fault
        try:
            await asyncio.wait_for(asyncio.shield(fault.over),
                                   self.plan.patience)
        except asyncio.TimeoutError:
            if not fault.struck:
                self.hub.armed = None
                self.misses += 1
                self.counts[f"no {operation} to hit"] += 1
                self.say(f"no {operation} to hit")
                return
            await fault.over  # until the servers agree, or never do
        await self.see_recovery(fault)

    async def see_recovery(self, fault):
        """Training goes on within one lease after the end of a fault. What
        this process itself was kept waiting by a loaded machine is allowed."""
        end = fault.over.result()
        lease = self.plan.lease_ms / 1000
        late = 0.0
        while not any(at > end for at in self.hub.seen[-8:]):
            begin = time.monotonic()
            if begin > end + 10 * lease:
                break
            await asyncio.sleep(0.02)
            late += max(0.0, time.monotonic() - begin - 0.1)
        took = next((at for at in self.hub.seen if at > end),
                    time.monotonic()) - end
        self.recoveries[fault.kind].append(took)
        self.say(f"{fault.kind} at {fault.operation}, {fault.phase} "
                 f"({fault.variant:.2f}): went on after {took:.2f} s")
        if took > lease + self.plan.grace + late:
            self.fleet.problem(
                f"after {fault.kind} at {fault.operation} "
                f"({fault.phase}, {fault.variant:.2f}) training went on only "
                f"after {took:.1f} s")
            for at, name, answer in self.fleet.answers:
                print(f"    {at - end:7.2f} {name} {answer[:100]}")

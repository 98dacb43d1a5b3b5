# SPDX-License-Identifier: Apache-2.0
"""The workers, what is asked of them, and the ledger of what they were
promised: kept here, outside of neurald."""
import asyncio
import collections
import contextlib
import hashlib
import itertools
import random
import signal
import struct
import time

import servers

SPARE = ("UNAVAILABLE", "UNCERTAIN", "FULL", "BUSY", "LOST", "SUPERSEDED")
LINE_BYTES = 1 << 22


class Gone(Exception):
    """The worker ended before it answered."""


class Worker:
    """One process; started again wherever it was killed."""

    def __init__(self, name, command, seed=0):
        self.name, self.command = name, command
        self.chance = random.Random(f"{seed} {name}")
        self.process = None
        self.numbers = itertools.count(1)
        self.answers = {}
        self.ready = None
        self.reading = None

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            *self.command, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, limit=LINE_BYTES,
            preexec_fn=servers.die_with_parent)
        self.ready = asyncio.get_running_loop().create_future()
        self.reading = asyncio.ensure_future(self.read())

    async def read(self):
        while line := await self.process.stdout.readline():
            number, _, text = line.decode().rstrip("\n").partition(" ")
            if number == "0":
                if not self.ready.done():
                    self.ready.set_result(text)
            elif number in self.answers:
                self.answers[number].put_nowait(text)
        await self.process.wait()
        for waiting in self.answers.values():
            waiting.put_nowait(None)
        if not self.ready.done():
            self.ready.set_result(None)

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def kill(self):
        if self.process is None:
            return
        self.signal(signal.SIGKILL)
        await self.reading

    async def ask(self, *words, until=None):
        """The answer to one request, or all its lines up to that word."""
        text = await self.ready
        if text != "ready":
            raise Gone(text)
        number = str(next(self.numbers))
        lines = self.answers[number] = asyncio.Queue()
        try:
            self.process.stdin.write(
                " ".join([number, *map(str, words)]).encode() + b"\n")
            if self.process.returncode is not None:
                raise Gone("between two requests")
            got = []
            while True:
                text = await lines.get()
                if text is None:
                    raise Gone("in mid-request")
                got.append(text)
                if until is None or text.startswith((until, "failed")):
                    return got if until else text
        except ConnectionError as error:
            raise Gone(str(error)) from error
        finally:
            del self.answers[number]


class Sample:
    """What the ledger says of one sample."""

    def __init__(self, number, owner):
        self.number, self.owner = number, owner
        self.is_clear = number % 16 != 0  # by its features
        self.label = (number if self.is_clear else number // 16) % 2
        self.label_ms = 0
        self.state = "asked"  # spooled, stored, refused, forgotten
        self.relabelled = self.existed = 0

    @property
    def identity(self):
        return hashlib.blake2b(struct.pack("<I", self.number),
                               digest_size=32).digest()[:16].hex()


class Fleet:
    """All workers, and the work that they are given."""

    def __init__(self, plan):
        self.plan = plan
        self.workers = []
        self.samples = {}
        self.published = []  # (asked, answered, generation)
        self.counts = collections.Counter()
        self.answers = collections.deque(maxlen=60)  # of trainers
        self.unsure = collections.Counter()  # acknowledged by a spool
        self.problems = []
        self.label_times = itertools.count(int(time.time() * 1000) - 3600000)
        self.stopping = False
        self.idle = lambda time: None  # told when there is nothing to train

    def problem(self, text):
        self.problems.append(text)
        print(f"  PROBLEM: {text}", flush=True)

    async def revive(self, worker):
        """Starts a worker that was killed; one stopped is waited for."""
        if worker.process.returncode is None and not worker.reading.done():
            return
        await worker.start()
        self.counts["started again"] += 1

    async def surely(self, worker, *words):
        """Repeats a request until it is acknowledged."""
        while True:
            try:
                answer = await worker.ask(*words)
                if answer.split()[:1] != ["failed"] or \
                        answer.split()[1] not in SPARE:
                    return answer
                self.counts[f"{words[0]} {answer.split()[1].lower()}"] += 1
            except Gone:
                self.counts[f"{words[0]} unanswered"] += 1
                await self.revive(worker)
            await asyncio.sleep(worker.chance.uniform(0.01, 0.1))

    # ---- what writers do ----

    async def write(self, worker, first, step):
        """Stores the samples first, first + step, ... until told to stop."""
        number, own = first, []
        while not self.stopping:
            bulk = len(self.samples) < self.plan.bulk
            batch = [Sample(number + i * step, worker.name)
                     for i in range(worker.chance.randint(1, 16 if bulk else 4))]
            number += len(batch) * step
            await self.put(worker, batch)
            own += batch
            for _ in range(worker.chance.randint(0, 2)):
                await self.change(worker, worker.chance.choice(own))
            if worker.chance.random() < 0.3:
                await self.deliver(worker)
            await asyncio.sleep(worker.chance.uniform(0, 0.02 if bulk else
                                                     self.plan.pause))

    async def put(self, worker, batch, families=1):
        for sample in batch:
            sample.label_ms = sample.label_ms or next(self.label_times)
            self.samples[sample.number] = sample
        answer = await self.surely(worker, "put", *(
            f"{s.number}:{s.label}:{s.label_ms}:{families}" for s in batch))
        words = answer.split()
        if words[0] == "spooled":
            words = ["put"] + ["spooled"] * len(batch)
        if words[0] != "put" or len(words) != len(batch) + 1:
            self.problem(f"put: {answer}")
            return
        self.counts["put acknowledged"] += len(batch)
        for sample, word in zip(batch, words[1:]):
            self.note_put(sample, word)

    def note_put(self, sample, word):
        """What an acknowledged put says of the sample."""
        self.counts[f"put: {word}"] += 1
        if word in ("stored", "duplicate", "merged"):
            # a duplicate may be one that an unanswered put stored
            if sample.state in ("asked", "spooled"):
                sample.state = "stored"
        elif word == "spooled":
            sample.state = "spooled" if sample.state == "asked" else \
                sample.state
        elif word == "quota" and self.plan.mode == "balanced":
            sample.state = "refused"
        else:
            self.problem(f"sample {sample.number}: {word}")

    async def change(self, worker, sample):
        """Relabels, forgets, or adds a family to one stored before."""
        kind = worker.chance.random()
        if sample.state not in ("stored", "spooled"):
            return
        if kind < 0.12:
            await self.forget(worker, sample)
        elif sample.state == "stored" and not sample.is_clear:
            await self.relabel(worker, sample)
        elif sample.state == "stored" and kind < 0.4:
            await self.put(worker, [sample], families=3)

    async def forget(self, worker, sample):
        answer = await self.surely(worker, "forget", sample.number,
                                   next(self.label_times))
        if answer not in ("forgot 0", "forgot 1", "forgot spooled"):
            self.problem(f"forget: {answer}")
            return
        if answer == "forgot 0" and sample.state == "stored" and \
                self.plan.mode == "reservoir":
            self.problem(f"sample {sample.number} was lost before forgetting")
        sample.state, sample.existed = "forgotten", answer == "forgot 1"
        self.unsure["forgotten"] += answer == "forgot spooled"
        self.counts["forget acknowledged"] += 1

    async def relabel(self, worker, sample):
        label, label_ms = 1 - sample.label, next(self.label_times)
        answer = await self.surely(worker, "relabel", sample.number, label,
                                   label_ms)
        if answer in ("relabelled relabelled", "relabelled duplicate",
                      "relabelled spooled"):
            sample.label, sample.label_ms = label, label_ms
            sample.relabelled += answer != "relabelled spooled"
            self.unsure["relabelled"] += answer == "relabelled spooled"
            self.counts["relabel acknowledged"] += 1
        elif answer.startswith("failed NO_INPUT") and \
                self.plan.mode == "balanced":
            self.counts["relabel of a consumed one"] += 1
        else:
            self.problem(f"relabel {sample.number}: {answer}")

    async def deliver(self, worker, last=False):
        """Has the spool handed over; it may fail and be tried later."""
        if last:
            answer = await self.surely(worker, "deliver")
        else:
            try:
                answer = await worker.ask("deliver")
            except Gone:
                return await self.revive(worker)
        words = answer.split()
        if words[0] != "delivered":
            if words[1] not in SPARE:
                self.problem(f"deliver: {answer}")
            return None
        self.counts["delivered from the spool"] += int(words[1])
        if self.plan.mode == "reservoir":
            for sample in self.samples.values():
                if sample.owner == worker.name and sample.state == "spooled":
                    sample.state = "stored"
        return None

    # ---- what trainers do ----

    async def train(self, worker):
        while not self.stopping:
            asked = time.monotonic()
            try:
                answer = await worker.ask("train")
            except Gone:
                await self.revive(worker)
                continue
            self.answers.append((time.monotonic(), worker.name, answer))
            words = answer.split()
            self.counts["train " + " ".join(words[:2]).lower()] += 1
            if words[:2] == ["trained", "rejected"]:
                self.counts["rejected: " + " ".join(words[3:7])] += 1
            if words[:2] == ["trained", "promoted"]:
                self.published.append((asked, time.monotonic(),
                                       int(words[2])))
            elif words[:2] == ["failed", "NOTHING"]:
                self.idle(asked)
            elif words[0] == "failed" and words[1] not in SPARE:
                self.problem(f"train: {answer}")
            await asyncio.sleep(worker.chance.uniform(0.02, 0.1))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Five processes of a fleet on real Redis servers, which break at random.

    tests/fault/run.py                  the short form: a minute
    tests/fault/run.py --long           10,000 samples, each fault 20 times
    tests/fault/run.py --seed 7         the same choices again
    tests/fault/run.py --setup sentinel --mode balanced

The ledger of what was acknowledged is kept here. Faults strike while a put, a
renewal or a publish is between request and answer. At the end the accounts of
docs/protocol.md must add up. FAULT_WORKER names the worker, else it is
build/tests/fault/fault_worker.
"""
import argparse
import asyncio
import collections
import os
import pathlib
import random
import resource
import shutil
import signal
import sys
import tempfile
import time

import accounts
import faults
import fleet
import proxy
import servers

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WORKER = pathlib.Path(os.environ.get(
    "FAULT_WORKER", ROOT / "build/tests/fault/fault_worker"))
WORKERS, TRAINERS = 5, 2
HOSTS = (1, 2)  # a trainer and a writer that are hosts, as the daemon is
RUNS = (("single", "reservoir"), ("single", "balanced"),
        ("sentinel", "reservoir"), ("sentinel", "balanced"))
LONG_GOAL = 20
PROBLEMS_SHOWN = 20
SHORT_WATCHED = (("failover", "put"), ("failover", "publish"),
                 ("restart", "put"), ("cut", "publish"), ("memory", "put"),
                 ("kill", "renew"))


class Plan:
    """How one run goes."""

    def __init__(self, options, setup, mode):
        self.setup, self.mode = setup, mode
        self.long = options.long
        self.samples = options.samples or (10000 if self.long else 400)
        self.lease_ms = 4000 if self.long else 2500
        # few samples train in no time: slower, so that there is a renewal
        self.pace_ms = 60 if self.long and mode == "reservoir" else 200
        # most come at once, the others while trainings follow each other:
        # where many are new, few candidates prove better than the live model
        self.bulk = self.samples * 3 // 4
        self.pause = 2.0 if mode == "reservoir" else 0.4
        # the trainers' own pauses, on a loaded machine
        self.grace = 1.5 if self.long else 2.5
        self.patience = 60
        self.timeout_ms = 1500
        self.limit = 1000000 if mode == "reservoir" else 150
        self.fsync, self.wait = options.fsync, options.wait
        self.only, self.verbose = options.only, options.verbose

    def goal(self, kind, operation):
        """Hits of an operation in this run. Under balanced few candidates
        are promoted: the other runs see to publishes."""
        if self.only:
            return 3 if kind == self.only else 0
        if self.long:
            if self.mode == "balanced":
                return 3 if operation == "put" else 1
            return LONG_GOAL if kind == "failover" else LONG_GOAL // 2
        if self.mode == "balanced":
            return int(operation == "put" and kind not in ("stop", "failover"))
        if self.setup == "sentinel":
            return int((kind, operation) in SHORT_WATCHED)
        return int(kind != "stop" or operation == "renew")


def store_url(plan, setup, hub, name):
    """Where a worker finds its store: through the proxy."""
    ports = [hub.ports[name, sentinel.port] for sentinel in setup.sentinels]
    if ports:
        places = ",".join(f"127.0.0.1:{port}" for port in ports)
        return (f"redis+sentinel://{places}/{servers.MASTER}"
                f"?wait_replicas={plan.wait}")
    return f"redis://127.0.0.1:{hub.ports[name, setup.servers[0].port]}"


async def read_scripts(folder):
    """neurald's scripts, by digest and by source: a worker tells them."""
    setup = servers.Single(folder, "no")
    await setup.start()
    url = f"redis://127.0.0.1:{setup.servers[0].port}"
    worker = fleet.Worker("scripts", command(url, folder / "s", "reservoir"))
    await worker.start()
    scripts = {}
    for line in await worker.ask("scripts", until="end"):
        words = line.split()
        if words[0] == "script":
            scripts[words[2]] = words[1]
            scripts[bytes.fromhex(words[3])] = words[1]
    await worker.kill()
    await setup.stop()
    return scripts


def command(url, spool, mode, lease=2000, limit=1000, pace=0, timeout=2000,
            kind="parts"):
    return [WORKER, url, str(spool), "short", str(lease), mode, str(limit),
            str(pace), str(timeout), kind]


async def make_fleet(plan, seed, setup, hub, folder):
    crew = fleet.Fleet(plan)
    crew.idle = hub.seen.append
    for number in range(WORKERS):
        name = f"worker-{number}"
        for server in setup.servers:
            await hub.listen(name, server.port)
        for sentinel in setup.sentinels:
            await hub.listen(name, sentinel.port, sentinel=True)
        url = store_url(plan, setup, hub, name)
        crew.workers.append(fleet.Worker(name, command(
            url, folder / f"{name}.spool", plan.mode, plan.lease_ms,
            plan.limit, plan.pace_ms, plan.timeout_ms,
            "host" if number in HOSTS else "parts"), seed))
    for worker in crew.workers:
        await worker.start()
        await worker.ready
    return crew


async def at_work(plan, crew, stage):
    """Writers and trainers at work, while faults strike."""
    trainers = crew.workers[:TRAINERS]
    writers = crew.workers[TRAINERS:]
    tasks = [asyncio.ensure_future(crew.train(worker)) for worker in trainers]
    tasks += [asyncio.ensure_future(crew.write(worker, i, len(writers)))
              for i, worker in enumerate(writers)]
    work = asyncio.gather(*tasks)

    async def until_enough():
        begin = time.monotonic()
        while not crew.published and not work.done() and \
                time.monotonic() < begin + 2 * plan.patience:
            await asyncio.sleep(0.1)
        await stage.perform()
        while len(crew.samples) < plan.samples:
            await asyncio.sleep(0.1)
    struck = asyncio.ensure_future(until_enough())
    await asyncio.wait([work, struck], return_when=asyncio.FIRST_COMPLETED)
    crew.stopping = True
    await struck
    await asyncio.gather(*stage.tasks)
    await work
    for worker in writers:
        await crew.deliver(worker, last=True)


def report(crew, stage, hub):
    for name, count in sorted(crew.counts.items()):
        print(f"  {count:7} {name}")
    print("  hits between request and answer: "
          + " ".join(f"{name:>8}" for name in faults.OPERATIONS))
    for kind in stage.kinds:
        print(f"    {kind:<30} " + " ".join(
            f"{stage.hits[kind, name]:>8}" for name in faults.OPERATIONS))
    for kind, times in sorted(stage.recoveries.items()):
        times = sorted(times)
        print(f"  training went on after {kind:<8}: "
              f"{times[len(times) // 2]:.1f} s in the middle, "
              f"{times[-1]:.1f} s at most")


async def run(plan, seed, folder, scripts):
    """One run; answers the fleet and the stage."""
    chance = random.Random(f"{seed} {plan.setup} {plan.mode}")
    kind = servers.Watched if plan.setup == "sentinel" else servers.Single
    setup = kind(folder, plan.fsync)
    hub = proxy.Hub(scripts, plan.wait if plan.setup == "sentinel" else 0)
    await setup.start()
    crew = await make_fleet(plan, seed, setup, hub, folder)
    stage = faults.Stage(plan, chance, setup, hub, crew)
    try:
        await at_work(plan, crew, stage)
        crew.problems += await accounts.check_all(crew, crew.workers[-1],
                                                  hub.grants)
    finally:
        for worker in crew.workers:
            await worker.kill()
        await hub.close()
        await setup.stop()
        report(crew, stage, hub)
    return crew, stage


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seed", type=int,
                        default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--samples", type=int)
    parser.add_argument("--setup", choices=("single", "sentinel"))
    parser.add_argument("--mode", choices=("reservoir", "balanced"))
    parser.add_argument("--only", choices=(*faults.KINDS, "failover"))
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--fsync", default="always")
    parser.add_argument("--wait", type=int, default=1)
    return parser.parse_args()


def few_hits(plan, hits, setups):
    """In the long form: what was hit fewer than 20 times."""
    kinds = faults.KINDS + (("failover",) if "sentinel" in setups else ())
    for kind in kinds if plan.long and not plan.only else ():
        for operation in faults.OPERATIONS:
            if hits[kind, operation] < LONG_GOAL:
                yield (f"{kind} hit {operation} only "
                       f"{hits[kind, operation]} times")


async def main():
    options = arguments()
    print(f"seed {options.seed}", flush=True)
    root = pathlib.Path(tempfile.mkdtemp(prefix="neurald-fault-"))
    hits, problems = collections.Counter(), []
    runs = [(setup, mode) for setup, mode in RUNS
            if options.setup in (None, setup) and options.mode in (None, mode)]
    try:
        (root / "scripts").mkdir()
        scripts = await read_scripts(root / "scripts")
        for setup, mode in runs:
            start = time.monotonic()
            print(f"{setup}, {mode}", flush=True)
            plan = Plan(options, setup, mode)
            folder = root / f"{setup}-{mode}"
            folder.mkdir()
            crew, stage = await run(plan, options.seed, folder, scripts)
            hits += stage.hits
            problems += crew.problems
            print(f"  {len(crew.samples)} samples, "
                  f"{time.monotonic() - start:.0f} s, "
                  f"{len(crew.problems)} problems", flush=True)
        problems += few_hits(plan, hits, {setup for setup, _ in runs})
    finally:
        shutil.rmtree(root, ignore_errors=True)
    for problem in problems[:PROBLEMS_SHOWN]:
        print(problem)
    if len(problems) > PROBLEMS_SHOWN:
        print(f"... and {len(problems) - PROBLEMS_SHOWN} more")
    print(f"seed {options.seed}: "
          f"{'FAILED' if problems else 'all accounts add up'}")
    return 1 if problems else 0


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(asyncio.run(main()))

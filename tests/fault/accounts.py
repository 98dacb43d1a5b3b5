# SPDX-License-Identifier: Apache-2.0
"""The accounts at the end: what the ledger was promised against what the
store holds (docs/protocol.md, "A sample's life" and "A training's life")."""
import itertools


class Store:
    """What a worker tells of the store."""

    def __init__(self, lines):
        self.samples, self.entries = {}, []
        self.stats, self.live = {}, 0
        self.sequences = []
        self.complete = lines[-1] == "end"
        for words in map(str.split, lines):
            if words[0] == "sample":
                self.samples[words[1]] = int(words[2])
                self.sequences.append(int(words[4]))
            elif words[0] == "stats":
                self.stats = dict(zip(words[1::2], map(int, words[2::2])))
            elif words[0] == "entry":
                self.entries.append((int(words[1]), int(words[2]), words[3]))
            elif words[0] == "live":
                self.live = int(words[1])


def find_lost(fleet, store):
    """Acknowledged samples that are neither present nor forgotten."""
    return [sample for sample in fleet.samples.values()
            if sample.state == "stored" and
            sample.identity not in store.samples]


def check_samples(fleet, store):
    """With room for all: each is there under its last label, and once."""
    lost = find_lost(fleet, store)
    fleet.counts["put acknowledged, and lost"] += len(lost)
    for sample in lost:
        yield f"sample {sample.number} was acknowledged and is lost"
    known = {sample.identity: sample for sample in fleet.samples.values()}
    for identity, label in store.samples.items():
        sample = known.get(identity)
        if sample is None:
            yield f"sample {identity} was never put"
        elif sample.state == "forgotten":
            yield f"sample {sample.number} was forgotten and is there"
        elif sample.label != label:
            yield f"sample {sample.number} has a label it was not given last"
    if len(set(store.sequences)) != len(store.sequences):
        yield "a sequence was given twice"


def check_counts(fleet, store):
    """Every way out of present is counted, and the counts add up."""
    stats = store.stats
    present = stats["ham"] + stats["spam"]
    if present != len(store.samples):
        yield f"{present} samples are counted, {len(store.samples)} are there"
    ends = stats["replaced"] + stats["forgotten"] + stats["consumed"]
    if stats["stored"] != present + ends:
        yield (f"{stats['stored']} samples were stored, but {present} are "
               f"present and {ends} have ended")
    existed = sum(sample.existed for sample in fleet.samples.values())
    yield from check_range(fleet, stats, "forgotten", existed)
    if fleet.plan.mode == "reservoir":
        relabelled = sum(s.relabelled for s in fleet.samples.values())
        yield from check_range(fleet, stats, "relabelled", relabelled)


def check_range(fleet, stats, name, acknowledged):
    """What a spool took may have found nothing to do when it came."""
    most = acknowledged + fleet.unsure[name]
    if not acknowledged <= stats[name] <= most:
        yield (f"{acknowledged} to {most} were {name} by acknowledgement, "
               f"{stats[name]} by the store's count")


def check_journal(fleet, store, grants):
    """Tokens in order, each ended before the next was granted, and every
    acknowledged publish among them."""
    tokens = [token for _, token, _ in store.entries]
    if tokens != sorted(set(tokens)):
        yield "the journal is not in the order of the tokens"
    for time_ms, token, decision in store.entries:
        later = [since for other, since in grants.items() if other > token]
        if later and min(later) < time_ms:
            yield (f"token {token} was {decision} though a later one had been "
                   "granted")
    promoted = [token for _, token, what in store.entries
                if what == "promoted"]
    for _, _, generation in fleet.published:
        if generation not in promoted:
            yield f"generation {generation} was acknowledged and is lost"
    for one, other in itertools.permutations(fleet.published, 2):
        if one[1] < other[0] and one[2] >= other[2]:
            yield f"generation {other[2]} came after {one[2]}"
    if promoted and store.live != promoted[-1]:
        yield f"{store.live} is live, {promoted[-1]} was published last"


async def check_known(fleet, worker):
    """Each acknowledged sample, put once more, is known: none is lost,
    whichever way it ended."""
    problems = []
    for sample in list(fleet.samples.values()):
        wanted = {"stored": "duplicate", "forgotten": "forgotten"}.get(
            sample.state)
        if wanted is None:
            continue
        answer = await fleet.surely(
            worker, "again",
            f"{sample.number}:{sample.label}:{sample.label_ms}:1")
        if answer != f"put {wanted}":
            problems.append(f"sample {sample.number}, {sample.state}, put "
                            f"again: {answer}")
    return problems


async def check_all(fleet, worker, grants):
    """Everything, as a list of problems."""
    lines = await worker.ask("dump", until="end")
    store = Store(lines)
    if not store.complete:
        return [f"dump: {lines[-1]}"]
    problems = [*check_counts(fleet, store),
                *check_journal(fleet, store, grants)]
    if fleet.plan.mode == "reservoir":
        problems += check_samples(fleet, store)
    return problems + await check_known(fleet, worker)

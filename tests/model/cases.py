# SPDX-License-Identifier: Apache-2.0
"""What tests/model/run searches: models, bounds, and rules left out.

A bound that a case does not name has the value that the model's init gives
it. Numbers of states and times are in docs/protocol-model.md.
"""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Case:
    """One search: of a model, within bounds, perhaps without a rule."""

    name: str
    model: str
    bounds: dict
    without: str = ""
    live: bool = False
    is_long: bool = False


def whole(name, model, is_long=False, **bounds):
    return Case(name, model, bounds, is_long=is_long)


def live(name, is_long=False, **bounds):
    return Case(name, "trainers", bounds, live=True, is_long=is_long)


def without(rule, model, **bounds):
    return Case(f"without-{rule.lower().replace('_', '-')}", model, bounds,
                without=rule)


QUIET = {"LOSTS": 0, "CRASHES": 0, "JUMPS": 0}
PAIR = {"CLAIMS": 2, "RELABELS": 0}

CASES = [
    # Lease, publish, finish; two trainers, three grants.
    whole("trainers-crash-jump", "trainers", LOSTS=0),
    whole("trainers-lost", "trainers", CRASHES=0, JUMPS=0),
    whole("trainers-lost-twice", "trainers", LOSTS=2, CRASHES=0, JUMPS=0,
          ATTEMPTS=2),
    whole("trainers-lost-crash", "trainers", JUMPS=0, ATTEMPTS=2),
    whole("trainers-renew-again", "trainers", CRASHES=0, JUMPS=0, ATTEMPTS=2,
          RENEWALS=2),
    whole("operator", "trainers", **QUIET, PINS=1, IMPORTS=1, ATTEMPTS=2,
          TOKENS=4),
    whole("operator-lost", "trainers", CRASHES=0, JUMPS=0, PINS=1, ATTEMPTS=2),
    whole("trim", "trainers", LOSTS=0, TRIMS=2, ATTEMPTS=2),
    without("NO_TOKEN", "trainers"),
    without("NO_REPEAT", "trainers", CRASHES=0, JUMPS=0),
    without("LAST_REPEAT", "trainers", LOSTS=2, IMPORTS=1, CRASHES=0, JUMPS=0),
    without("HOST_CLOCK", "trainers", **QUIET),
    without("HOST_NAME", "trainers", **QUIET),
    without("TRIM_RESETS", "trainers", **QUIET, TRIMS=1),
    without("TRIM_LEASED", "trainers", **QUIET, TRIMS=1),
    without("ANY_REVISION", "trainers", **QUIET, PINS=1),
    without("KEEPS_LEASE", "trainers", **QUIET),
    without("ANY_RELEASE", "trainers", LOSTS=0, JUMPS=0),
    without("NO_BLOB", "trainers", **QUIET, TRIMS=1),
    without("DROPS_LIVE", "trainers", **QUIET, IMPORTS=1, PINS=1, TOKENS=4),
    without("PROGRESS_RESTARTS", "trainers", CRASHES=0, JUMPS=0, RENEWALS=2),
    without("SUPERSEDED_KEEPS", "trainers", CRASHES=0, JUMPS=0, PINS=1),
    # A holder that is gone is taken over, under weak fairness.
    live("taken-over", LOSTS=0, JUMPS=0),
    live("taken-over-jump", LOSTS=0, TOKENS=2, ATTEMPTS=2),
    Case("without-no-clamp", "trainers", {"LOSTS": 0, "TOKENS": 2},
         without="NO_CLAMP", live=True),
    Case("without-no-progress", "trainers", {"LOSTS": 0, "TOKENS": 2},
         without="NO_PROGRESS", live=True),
    # Samples: four claims on two messages, forget, relabel, a training.
    whole("samples", "samples", LOSTS=0),
    whole("samples-lost", "samples", **PAIR),
    whole("samples-lost-twice", "samples", **PAIR, LOSTS=2),
    whole("samples-trained-twice", "samples", **PAIR, LOSTS=0, TRAININGS=2),
    whole("samples-reservoir", "samples", LOSTS=0, BALANCED=0, LIMIT=1,
          RELABELS=0),
    whole("samples-reservoir-lost", "samples", BALANCED=0, LIMIT=1, RELABELS=0,
          TRAININGS=0),
    whole("samples-spool", "samples", **PAIR, LOSTS=2, SPOOLS=1, CRASHES=1),
    whole("samples-upkeep", "samples", **PAIR, CLEANS=1),
    without("BY_ID", "samples", **PAIR, LOSTS=0),
    without("NO_TOMBSTONE", "samples", **PAIR, TRAININGS=0),
    without("PUT_AGAIN", "samples", **PAIR, FORGETS=0),
    without("NO_RANK", "samples", **PAIR, FORGETS=0),
    without("VERSION_RESTARTS", "samples", **PAIR, LOSTS=0),
    without("WATERMARK_MOVES", "samples", **PAIR, LOSTS=0),
    without("DELETES_FIRST", "samples", **PAIR, SPOOLS=1, CRASHES=1, FORGETS=0,
            TRAININGS=0),
    without("KEPT_SHORT", "samples", **PAIR, CLEANS=1),
    without("FORGETS_NOW", "samples", **PAIR, TRAININGS=0),
    without("RELABEL_QUIET", "samples", **PAIR, LOSTS=0, FORGETS=0),
    without("PUT_FORGOTTEN", "samples", **PAIR, TRAININGS=0),
    # A failover, and a deposed primary that goes on answering.
    whole("failover-trainers", "failover", PUTS=0),
    whole("failover-pin", "failover", ATTEMPTS=2, PUTS=0, PINS=1),
    whole("failover-samples", "failover", TRAINERS=1, ATTEMPTS=1, FORGETS=1,
          PINS=1),
    whole("failover-names", "failover", TRAINERS=1, ATTEMPTS=1, PUTS=0,
          NAMES=1),
    without("ACQUIRE_LOCAL", "failover", ATTEMPTS=2, PUTS=0),
    without("PUT_LOCAL", "failover", TRAINERS=0),
    without("FORGET_LOCAL", "failover", TRAINERS=0, FORGETS=1),
    without("PUBLISH_LOCAL", "failover", TRAINERS=1, PUTS=0),
    without("PIN_LOCAL", "failover", TRAINERS=0, PINS=1),
    without("FIND_LOCAL", "failover", TRAINERS=0, NAMES=1),
    without("KNOWN_LOCAL", "failover", TRAINERS=0, PUTS=2),
    without("BARE_WAIT", "failover", TRAINERS=0),
    without("NO_ENDINGS", "failover", TRAINERS=1, PUTS=0),
    # `make soak`
    whole("long-trainers", "trainers", is_long=True),
    whole("long-trainers-lost-twice", "trainers", is_long=True, LOSTS=2,
          CRASHES=1, JUMPS=0),
    whole("long-three-trainers", "trainers", is_long=True, TRAINERS=3, LOSTS=0),
    whole("long-operator", "trainers", is_long=True, CRASHES=0, JUMPS=0, PINS=1,
          IMPORTS=1, ATTEMPTS=2, TOKENS=4),
    live("long-taken-over", is_long=True),
    whole("long-samples", "samples", is_long=True),
    whole("long-samples-trained-twice", "samples", is_long=True, **PAIR,
          TRAININGS=2),
    whole("long-samples-reservoir", "samples", is_long=True, BALANCED=0,
          LIMIT=1, RELABELS=0),
    whole("long-failover", "failover", is_long=True, ATTEMPTS=3),
    whole("long-failover-samples", "failover", is_long=True, TRAINERS=1,
          ATTEMPTS=1, PUTS=2, FORGETS=1, PINS=1),
]

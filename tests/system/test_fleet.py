# SPDX-License-Identifier: Apache-2.0
"""A fleet on one Redis: who collects, who trains, who scores."""
import contextlib
import shutil

import pytest

from conftest import fill_folder, make_mail
from daemon import ADMIN, Daemon
from test_store_copy import Redis

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None,
                                reason="there is no redis-server")


@pytest.fixture
def redis(tmp_path):
    server = Redis(tmp_path / "redis")
    yield server
    server.stop()


@pytest.fixture
def host(neurald, tmp_path, redis):
    """Starts a daemon with these roles."""
    with contextlib.ExitStack() as stack:
        def start(name, roles, watch="1h"):
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            config = folder / "neurald.conf"
            config.write_text(
                f'store = "{redis.url}"\nserve {{ roles = "{roles}" }}\n'
                f"rule default {{\n watch_interval = {watch}\n lease = 5s\n"
                " train_interval = 0s\n}\n")
            return stack.enter_context(
                Daemon(neurald, folder, before=("--config", config)))
        yield start


def scripts_run(redis):
    """How often a script was called: each is a round trip, or part of one."""
    lines = redis.ask("INFO", "commandstats").splitlines()
    return sum(int(line.split("calls=")[1].split(",")[0]) for line in lines
               if line.startswith("cmdstat_eval"))


def test_a_thousand_messages_do_not_cost_a_thousand_round_trips(
        neurald, redis, tmp_path):
    for label in ("spam", "ham"):
        fill_folder(tmp_path / label, label, range(500))
    neurald.ok("learn", "--store", redis.url, "--spam", tmp_path / "spam",
               "--ham", tmp_path / "ham")
    stored = neurald.ok("status", "--json", "--store", redis.url).json
    assert stored["spam"] == 500 and stored["ham"] == 500
    assert scripts_run(redis) < 60  # 33 when this was written


def teach(daemon, numbers):
    for number in numbers:
        for label in ("spam", "ham"):
            daemon.wait_until(lambda label=label, number=number: daemon.learn(
                make_mail(label, number), label).code == 200)


def test_each_does_what_its_roles_say(host):
    collector = host("collector", "collect")
    scorer = host("scorer", "score")
    assert scorer.learn(make_mail("spam", 1), "spam").code >= 400
    assert scorer.score(make_mail("spam", 1))["generation"] == 0
    teach(collector, range(40))
    # due, but nobody trains
    assert collector.post("/v1/train", token=ADMIN).code >= 400
    trainer = host("trainer", "train")
    # heard of by subscription: watch_interval is an hour
    scorer.wait_until(
        lambda: scorer.score(make_mail("spam", 1))["generation"] > 0, 120)
    assert scorer.score(make_mail("spam", 900))["probability"] > 0.5
    trainer.wait_until(lambda: trainer.metric(
        "neurald_trainings_total", decision="promoted") >= 1)
    assert collector.metric("neurald_trainings_total") == 0


def test_a_killed_trainer_is_replaced(host):
    collector = host("collector", "collect score")
    first = host("first", "train", watch="1s")
    teach(collector, range(40))
    collector.wait_until(
        lambda: collector.score(make_mail("spam", 1))["generation"] > 0, 120)
    first.process.kill()
    first.process.wait()
    second = host("second", "train", watch="1s")
    teach(collector, range(40, 80))
    second.wait_until(
        lambda: second.metric("neurald_trainings_total") >= 1, 120)

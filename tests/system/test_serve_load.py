# SPDX-License-Identifier: Apache-2.0
"""The daemon with everything at once: for ThreadSanitizer above all.

`tools/check tsan` runs this with a build that tells of races; it is a test of
the ordinary build, too.
"""
import threading

from conftest import make_mail
from daemon import ADMIN, LEARN, Daemon

SECONDS = 5


def test_load_reloads_learning_and_trainings_at_once(trained, tmp_path,
                                                     configured):
    config = configured("rule default {\n watch_interval = 1s\n}\n")
    wrong = []
    with Daemon(trained, tmp_path, before=("--config", config)) as daemon:
        daemon.wait_for_model()
        ending = threading.Event()

        def work(ask):
            connection = daemon.connect()
            number = 0
            while not ending.is_set():
                answer = ask(number, connection)
                if answer.code not in (200, 202):
                    wrong.append((answer.code, answer.body))
                number += 1
            connection.close()

        def score(number, connection):
            return daemon.post("/v1/score?explain=3",
                               make_mail("spam", number % 50),
                               type="message/rfc822", connection=connection)

        def score_findings(number, connection):
            return daemon.post("/v1/score", b'{"symbols": {"A": 1, "B": 0}}',
                               type="application/json", connection=connection)

        def learn(number, connection):
            label = ("spam", "ham")[number % 2]
            return daemon.post(f"/v1/learn?class={label}",
                               make_mail(label, 500 + number), token=LEARN,
                               type="message/rfc822", connection=connection)

        def train(number, connection):
            ending.wait(0.3)
            return daemon.post("/v1/train?force=1", token=ADMIN,
                               connection=connection)

        def look(number, connection):
            target = ("/metrics", "/v1/status", "/v1/models")[number % 3]
            return daemon.get(target, connection=connection)

        def reload(number, connection):
            daemon.reload()
            return daemon.get("/readyz", connection=connection)

        threads = [threading.Thread(target=work, args=(ask,))
                   for ask in (score, score, score_findings, learn, learn,
                               train, look, reload)]
        for thread in threads:
            thread.start()
        ending.wait(SECONDS)
        try:
            daemon.wait_until(lambda: daemon.metric(
                "neurald_trainings_total") >= 1, 120)
        finally:
            ending.set()
        for thread in threads:
            thread.join()
        assert daemon.metric("neurald_reloads_total", result="ok") >= 2
        assert daemon.metric("neurald_http_requests_total", route="learn") > 5
        daemon.stop()  # ends with 0, and so without a race that was told
    assert not wrong
    assert "ThreadSanitizer" not in daemon.log.read_text()

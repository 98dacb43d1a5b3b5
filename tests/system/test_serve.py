# SPDX-License-Identifier: Apache-2.0
"""The daemon's API: who may do what, what is answered, and what it learns."""
import json
import shutil
import socket
import subprocess

import pytest

from conftest import make_mail
from daemon import ADMIN, LEARN, READ, Daemon, UnixConnection

MESSAGE = "message/rfc822"
JSON = "application/json"


@pytest.fixture
def daemon(neurald, tmp_path):
    """A daemon with a store of its own, without a model."""
    with Daemon(neurald, tmp_path) as running:
        running.wait_until_ready()
        yield running


@pytest.fixture
def trained_daemon(trained, tmp_path):
    with Daemon(trained, tmp_path) as running:
        running.wait_for_model()
        yield running


def test_it_runs_without_a_configuration(daemon):
    verdict = daemon.score(make_mail("spam", 1))
    assert verdict["verdict"] == "unsure"
    assert verdict["generation"] == 0
    assert verdict["probability"] == 0.5
    assert verdict["symbol"] == ""
    assert verdict["weight"] == 0
    assert verdict["id"].startswith("<spam.1@")


# method, target, type of the body, codes without a token and with one of role
# read, learn, admin
REQUESTS = [
    ("GET", "/healthz", None, 200, 200, 200, 200),
    ("HEAD", "/healthz", None, 200, 200, 200, 200),
    ("GET", "/readyz", None, 200, 200, 200, 200),
    ("GET", "/metrics", None, 200, 200, 200, 200),
    ("GET", "/v1/status", None, 200, 200, 200, 200),
    ("GET", "/v1/models", None, 200, 200, 200, 200),
    ("GET", "/v1/models/7", None, 404, 404, 404, 404),
    ("GET", "/v1/jobs/999", None, 404, 404, 404, 404),
    ("GET", "/v1/jobs/x", None, 404, 404, 404, 404),
    ("POST", "/v1/score", MESSAGE, 200, 200, 200, 200),
    ("POST", "/v1/score", JSON, 200, 200, 200, 200),
    ("POST", "/v1/score?autolearn=1", JSON, 401, 401, 200, 200),
    ("POST", "/v1/score?rule=other", JSON, 404, 404, 404, 404),
    ("POST", "/v1/score?explain=x", JSON, 400, 400, 400, 400),
    ("POST", "/v1/score?clas=spam", JSON, 400, 400, 400, 400),
    ("POST", "/v1/score?id=1&id=2", JSON, 400, 400, 400, 400),
    ("POST", "/v1/score", "text/plain", 415, 415, 415, 415),
    ("POST", "/v1/score", None, 415, 415, 415, 415),
    ("POST", "/v1/learn?class=spam", MESSAGE, 401, 403, 200, 200),
    ("POST", "/v1/learn?class=spam", JSON, 401, 403, 422, 422),
    ("POST", "/v1/learn?class=other", MESSAGE, 401, 403, 400, 400),
    ("POST", "/v1/learn", MESSAGE, 401, 403, 400, 400),
    ("POST", "/v1/learn?class=spam&source=me", MESSAGE, 401, 403, 400, 400),
    ("POST", "/v1/learn?class=spam&time=x", MESSAGE, 401, 403, 400, 400),
    ("POST", "/v1/learn?class=spam&identity=0", MESSAGE, 401, 403, 400, 400),
    ("POST", "/v1/relabel?class=ham", MESSAGE, 401, 403, 200, 200),
    ("POST", "/v1/relabel", MESSAGE, 401, 403, 400, 400),
    ("POST", "/v1/relabel?class=ham", None, 401, 403, 400, 400),
    ("POST", "/v1/forget", None, 401, 403, 400, 400),
    ("POST", "/v1/forget?source=trap", MESSAGE, 401, 403, 400, 400),
    ("POST", "/v1/forget?source=trap", None, 401, 403, 200, 200),
    ("POST", "/v1/forget", MESSAGE, 401, 403, 200, 200),
    ("POST", "/v1/train", None, 401, 403, 403, 202),
    ("POST", "/v1/train", JSON, 401, 403, 403, 415),
    ("POST", "/v1/models/pin?generation=7", None, 401, 403, 403, 404),
    ("POST", "/v1/models/unpin?generation=7", None, 401, 403, 403, 400),
    ("POST", "/v1/models/rollback", None, 401, 403, 403, 409),
    ("GET", "/v1/score", None, 405, 405, 405, 405),
    ("PUT", "/v1/learn", MESSAGE, 405, 405, 405, 405),
    ("DELETE", "/v1/models/7", None, 405, 405, 405, 405),
    ("OPTIONS", "/v1/score", None, 405, 405, 405, 405),
    ("GET", "/", None, 404, 404, 404, 404),
    ("GET", "/v1/", None, 404, 404, 404, 404),
    ("GET", "/v1/score/", None, 404, 404, 404, 404),
]


def test_each_request_is_answered_as_the_role_allows(neurald, tmp_path):
    """Without a token this machine may read, since no token is for reading."""
    bodies = {MESSAGE: make_mail("spam", 1), JSON: b'{"symbols": {"A": 1}}',
              "text/plain": b"x"}
    read_file = tmp_path / "read"
    read_file.mkdir()
    wrong = []
    with Daemon(neurald, tmp_path) as daemon:
        daemon.wait_until_ready()
        for method, target, kind, *codes in REQUESTS:
            for token, code in zip((None, None, LEARN, ADMIN), codes):
                if token is None and code == 403:
                    continue  # for a token of role read: below
                answer = daemon.ask(method, target, bodies.get(kind),
                                    token=token, type=kind)
                if answer.code != code:
                    wrong.append((method, target, kind, token, code,
                                  answer.code, answer.body))
                elif code >= 400:
                    assert answer.headers["content-type"] == \
                        "application/problem+json"
                    assert method == "HEAD" or answer.json["status"] == code
    assert not wrong


def test_a_token_for_reading_closes_reading(neurald, tmp_path):
    bodies = {MESSAGE: make_mail("spam", 1), JSON: b'{"symbols": {"A": 1}}'}
    with Daemon(neurald, tmp_path, tokens=(READ, LEARN, ADMIN)) as daemon:
        for method, target, kind, _, read, *_ in REQUESTS:
            if kind == "text/plain":
                continue
            expected = {401: 403}.get(read, read) \
                if "autolearn" not in target else 401
            answer = daemon.ask(method, target, bodies.get(kind), token=READ,
                                type=kind)
            if not target.startswith("/readyz"):
                assert answer.code == expected, (method, target, answer.body)
            if read == 200 and target not in ("/healthz", "/readyz"):
                answer = daemon.ask(method, target, bodies.get(kind), type=kind)
                assert answer.code == 401, (method, target)
                assert answer.headers["www-authenticate"].startswith("Bearer")
        for token in ("", "x" * 40, READ + "x", READ[:-1]):
            answer = daemon.get("/v1/status", Authorization=f"Bearer {token}")
            assert answer.code == 401


def test_without_a_token_file_nothing_can_be_changed(neurald, tmp_path):
    with Daemon(neurald, tmp_path, tokens=()) as daemon:
        daemon.wait_until_ready()
        for token in (None, LEARN, ADMIN):
            answer = daemon.learn(make_mail("spam", 1), "spam", token=token)
            assert answer.code == 401
            assert "--token-file" in answer.json["detail"]
            assert daemon.post("/v1/train", token=token).code == 401
            assert daemon.post("/v1/forget?source=user",
                               token=token).code == 401
        assert daemon.get("/v1/status").json["rules"][0]["spam"] == 0


def test_a_wrong_method_names_the_right_ones(daemon):
    assert daemon.get("/v1/score").headers["allow"] == "POST"
    assert daemon.post("/v1/status").headers["allow"] == "GET, HEAD"


def test_bodies_have_limits(daemon):
    over = daemon.post("/v1/score", b'{"a":"' + b"x" * (1 << 20) + b'"}',
                       type=JSON)
    assert over.code == 413
    deep = daemon.post("/v1/score", b"[" * 1000, type=JSON)
    assert deep.code == 413
    many = daemon.post("/v1/score", b'{"symbols":[' + b"1," * 60000 + b"1]}",
                       type=JSON)
    assert many.code == 413
    connection = daemon.connect()
    connection.putrequest("POST", "/v1/score")
    connection.putheader("Content-Type", MESSAGE)
    connection.putheader("Content-Length", str(65 << 20))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    connection = daemon.connect()
    connection.putrequest("POST", "/v1/score")
    connection.putheader("Content-Type", MESSAGE)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    assert connection.getresponse().status == 411
    connection.close()
    daemon.wait_until(
        lambda: daemon.metric("neurald_http_request_bytes_held") == 0)


def test_a_message_over_the_limit_is_scored_and_its_rest_counted(daemon):
    large = make_mail("spam", 1) + b"x" * (6 << 20)
    assert daemon.score(large)["verdict"] == "unsure"
    assert daemon.metric("neurald_http_request_bytes_total") >= 6 << 20


def test_malformed_bodies_are_answered_and_the_connection_goes_on(daemon):
    connection = daemon.connect()
    for body, kind in ((b"{", JSON), (b"", JSON), (b"[]", JSON),
                       (b"x", "multipart/mixed; boundary=y"),
                       (b"x", "multipart/form-data")):
        answer = daemon.post("/v1/score", body, type=kind,
                             connection=connection)
        assert answer.code == 400, (body, answer.body)
        assert answer.json["title"] == "Bad Request"
    answer = daemon.post("/v1/score", b"{}", type=JSON, connection=connection)
    assert answer.code == 200


def test_a_header_too_large_is_refused(daemon):
    answer = daemon.get("/healthz", **{"X-Long": "x" * 60000})
    assert answer.code in (413, 431)


def test_findings_are_scored_and_explained(trained_daemon):
    mail = make_mail("spam", 2000)
    verdict = trained_daemon.score(mail, "?explain=5&header=1&id=4bq1")
    assert verdict["verdict"] == "spam"
    assert verdict["id"] == "4bq1"
    assert len(verdict["reasons"]) == 5
    assert verdict["header"].startswith("spam, probability=")
    changes = [abs(reason["change"]) for reason in verdict["reasons"]]
    assert changes == sorted(changes, reverse=True)
    parts = b"\r\n".join([
        b"--b", b"Content-Type: application/json", b"", b'{"symbols": {}}',
        b"--b", b'Content-Disposition: form-data; name="message"', b"", mail,
        b"--b--", b""])
    both = trained_daemon.post("/v1/score", parts,
                               type="multipart/form-data; boundary=b").json
    assert both["verdict"] == "spam"
    assert trained_daemon.score(make_mail("ham", 2000))["verdict"] == "ham"


def test_the_verdict_is_that_of_the_command_line(trained, trained_daemon, mail):
    path = mail("spam", 2001)
    local = trained.ok("score", "--json", path).json
    remote = trained_daemon.score(path.read_bytes())
    for member in ("probability", "verdict", "symbol", "weight", "generation",
                   "log_odds"):
        assert remote[member] == local[member]


def test_several_rules_answer_in_one(neurald, tmp_path, configured):
    config = configured("rule short {\n}\nrule long {\n}\nrule out {\n"
                        "settings = outbound\n}\n")
    with Daemon(neurald, tmp_path, before=("--config", config)) as daemon:
        daemon.wait_until_ready()
        verdict = daemon.score_findings({"symbols": {"A": 1}})
        assert [rule["rule"] for rule in verdict["rules"]] == ["short", "long"]
        verdict = daemon.score_findings({"settings": "outbound"})
        assert "rules" not in verdict
        answer = daemon.learn(make_mail("spam", 1), "spam")
        assert [rule["outcome"] for rule in answer.json["rules"]] == \
            ["stored", "stored"]
        answer = daemon.learn(make_mail("spam", 1), "spam", "&rule=out")
        assert [rule["rule"] for rule in answer.json["rules"]] == ["out"]
        status = daemon.get("/v1/status").json
        assert [rule["rule"] for rule in status["rules"]] == \
            ["short", "long", "out"]


def test_a_sample_is_durable_once_it_is_answered(neurald, daemon):
    answer = daemon.learn(make_mail("spam", 1), "spam", "&source=user").json
    assert answer["outcome"] == "stored"
    assert answer["spam"] == 1
    status = neurald.ok("status", "--json").json
    assert status["sources"]["spam"]["user"] == 1
    again = daemon.learn(make_mail("spam", 1), "ham", "&source=user").json
    assert again["outcome"] == "relabelled"
    assert again["was"] == "spam"
    assert again["identity"] == answer["identity"]
    weaker = daemon.learn(make_mail("spam", 1), "spam", "&source=api").json
    assert weaker["outcome"] == "refused"
    assert weaker["reason"] == "lower_rank"
    gone = daemon.post(f"/v1/forget?identity={answer['identity']}",
                       token=LEARN).json
    assert gone["rules"][0]["forgotten"] == 1
    status = neurald.ok("status", "--json").json
    assert status["spam"] + status["ham"] == 0


def test_samples_are_relabelled_and_forgotten_in_bulk(neurald, daemon):
    for number in range(5):
        daemon.learn(make_mail("spam", number), "spam", "&source=trap")
        daemon.learn(make_mail("ham", number), "ham", "&source=user")

    def change(what):
        return daemon.post("/v1/" + what, token=LEARN).json["rules"][0]
    assert change("relabel?class=ham&source=trap&dry_run=1") == {
        "rule": "default", "settings": "default", "relabelled": 5,
        "unchanged": 0, "refused": 0, "absent": 0, "dry_run": True}
    assert neurald.ok("status", "--json").json["spam"] == 5
    assert change("relabel?class=ham&source=trap")["relabelled"] == 5
    assert neurald.ok("status", "--json").json["spam"] == 0
    assert change("forget?label=ham&dry_run=1")["forgotten"] == 10
    assert change("forget?label=ham&dry_run=True")["dry_run"] is True
    for value in ("2", "on", "maybe"):
        answer = daemon.post(f"/v1/forget?label=ham&dry_run={value}",
                             token=LEARN)
        assert answer.code == 400 and "dry_run" in answer.json["detail"]
    assert neurald.ok("status", "--json").json["ham"] == 10
    assert change("forget?label=ham&since=1")["forgotten"] == 10
    assert neurald.ok("status", "--json").json["ham"] == 0


def test_findings_alone_are_learned_under_their_identity(neurald, daemon):
    body = {"symbols": {"A": 1.0, "B": 0}, "metatokens": {"size": 0.5},
            "identity": "00112233445566778899aabbccddeeff"}
    answer = daemon.post("/v1/learn?class=spam", json.dumps(body), token=LEARN,
                         type=JSON)
    assert answer.code == 200
    assert answer.json["identity"] == body["identity"]
    assert neurald.ok("status", "--json").json["registry_length"] == 4


def test_autolearn_follows_the_findings_of_the_request(neurald, tmp_path,
                                                       configured):
    config = configured("rule default {\nautolearn = true\nspam_score = 10\n"
                        "ham_score = -1\n}\n")
    with Daemon(neurald, tmp_path, before=("--config", config)) as daemon:
        daemon.wait_until_ready()
        for number, (score, result) in enumerate(
                [(12, "spam"), (-3, "ham"), (2, "none")]):
            body = {"symbols": {"A": score}, "score": score,
                    "identity": f"{number:032x}"}
            verdict = daemon.score_findings(body, "?autolearn=1", token=LEARN)
            assert verdict["autolearn"] == result
        status = neurald.ok("--config", config, "status", "--json").json
        assert status["sources"]["spam"]["autolearn"] == 1
        assert status["sources"]["ham"]["autolearn"] == 1
        assert daemon.metric("neurald_autolearn_total") == 3


def test_it_is_taught_and_trained_over_http_alone(daemon, corpus):
    """From nothing to a model that tells mail apart, on 120 messages."""
    for number in range(60):
        for label in ("spam", "ham"):
            path = corpus / label / f"{label}-{number:04}.eml"
            assert daemon.learn(path.read_bytes(), label).code == 200
    job = daemon.train()
    assert job["status"] == "ok"
    assert job["report"]["decision"] == "promoted"
    generation = job["report"]["generation"]
    daemon.wait_for_model()
    right = 0
    for number in range(60, 80):
        for label in ("spam", "ham"):
            path = corpus / label / f"{label}-{number:04}.eml"
            verdict = daemon.score(path.read_bytes())
            assert verdict["generation"] == generation
            right += (verdict["probability"] > 0.5) == (label == "spam")
    assert right >= 38
    models = daemon.get("/v1/models").json
    assert models["models"][0]["live"]
    one = daemon.get(f"/v1/models/{generation}").json
    assert one["generation"] == generation
    assert daemon.metric("neurald_trainings_total", decision="promoted") == 1


def test_a_model_is_pinned_and_rolled_back(trained_daemon):
    daemon = trained_daemon
    first = daemon.get("/v1/models").json["models"][0]["generation"]
    job = daemon.train()
    second = job["report"]["generation"]
    if job["report"]["decision"] != "promoted":
        pytest.fail(f"the second training was {job['report']}")
    answer = daemon.post("/v1/models/rollback", token=ADMIN)
    assert answer.json["generation"] == first
    daemon.wait_until(lambda: daemon.score(
        make_mail("spam", 1))["generation"] == first)
    answer = daemon.post(f"/v1/models/pin?generation={second}", token=ADMIN)
    assert answer.json["pinned"]
    refused = daemon.train()
    assert refused["status"] == "nothing"
    assert "pinned" in refused["detail"]
    answer = daemon.post("/v1/models/unpin", token=ADMIN)
    assert not answer.json["pinned"]


def test_a_unix_socket_serves_the_same(daemon):
    connection = UnixConnection(daemon.socket)
    assert daemon.get("/healthz", connection=connection).code == 200
    assert daemon.socket.stat().st_mode & 0o777 == 0o666
    verdict = daemon.score(make_mail("spam", 1), connection=connection)
    assert verdict["verdict"] == "unsure"
    connection.close()


def test_the_metrics_are_as_prometheus_wants_them(trained_daemon):
    trained_daemon.score(make_mail("spam", 1))
    metrics = trained_daemon.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    if not shutil.which("promtool"):
        pytest.fail("promtool is missing: tools/install-dependencies check")
    done = subprocess.run(["promtool", "check", "metrics"], check=False,
                          input=metrics.body, capture_output=True)
    assert done.returncode == 0, done.stderr + done.stdout
    assert trained_daemon.metric("neurald_scored_total", verdict="spam") == 1
    assert trained_daemon.metric("neurald_score_seconds_count") == 1
    assert trained_daemon.metric("neurald_samples", **{"class": "spam"}) == 80


def test_pipelined_requests_are_answered_in_order(daemon):
    body = b'{"id": "%d"}'
    with socket.create_connection(("127.0.0.1", daemon.port)) as raw:
        raw.settimeout(30)
        raw.sendall(b"".join(
            b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: "
            b"application/json\r\nContent-Length: %d\r\n\r\n" %
            len(body % number) + body % number for number in range(20)))
        seen = b""
        while seen.count(b'"id"') < 20:
            piece = raw.recv(65536)
            assert piece, seen
            seen += piece
    places = [seen.index(b'"id":"%d"' % number) for number in range(20)]
    assert places == sorted(places)

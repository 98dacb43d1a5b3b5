# SPDX-License-Identifier: Apache-2.0
"""The rspamd plugin where neurald is slow, away, or answers rubbish, and where
rspamd's findings are odd: mail goes on within the deadline, and rspamd logs one
clear warning of ours and no error."""
import json
import re
import socket
import threading
import time

import pytest

from rspamd_peer import LOCAL, Redis, Rspamd, wait_for
from test_rspamd import letter

VERDICT = (b'{"probability":0.99,"verdict":"spam","symbol":"NEURALD_SPAM",'
           b'"weight":2.9,"generation":1,"outcome":"stored"}')
TIMEOUT = 0.8  # below the second that rspamd gives its Redis
REST = 1

# Symbols that no filter of ours would name so.
ODD = r"""
rspamd_config:register_symbol({
  name = 'TEST_ODD', type = 'normal', flags = 'nostat', score = 0,
  callback = function(task)
    if task:get_request_header('X-Odd') then
      for _, name in ipairs({'ODD_\xff\xfe', 'ODD "quoted\\', 'ODD;{%s}:\t\n',
          'ODD_\xc3\xa9', 'ODD_' .. string.rep('x', 3000)}) do
        task:insert_result(true, name, 1.0, 'an \xff option')
      end
      task:insert_result(true, 'ODD_NAN', 0 / 0)
    end
  end})
"""


class Fake:
    """Something in the place of neurald that answers as it is told."""

    def __init__(self):
        self.answer = self.verdict
        self.seen = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                link = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(link,),
                             daemon=True).start()

    def serve(self, link):
        try:
            with link, link.makefile("rb") as stream:
                while line := stream.readline():
                    length = 0
                    while (field := stream.readline()) not in (b"\r\n", b""):
                        name, _, value = field.partition(b":")
                        if name.lower() == b"content-length":
                            length = int(value)
                    self.seen.append((line.split()[1].decode(),
                                      stream.read(length)))
                    if self.answer(link) is False:
                        return
        except OSError:
            pass

    @staticmethod
    def say(link, body, code=200):
        link.sendall(b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n"
                     % (code, len(body)) + body)

    def verdict(self, link):
        self.say(link, VERDICT)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    (folder / "redis").mkdir()
    (folder / "rspamd").mkdir()
    fake, redis = Fake(), Redis(folder / "redis")
    logging = LOCAL["logging.inc"].replace("debug_modules",
                                           "log_severity = true; debug_modules")
    rspamd = Rspamd(folder / "rspamd", redis, extra_lua=ODD, files={
        "logging.inc": logging,
        "settings.conf": 'outbound { id = "outbound"; priority = high; apply {'
                         ' symbols_disabled = []; } }',
        "neurald.conf": f'url = "http://127.0.0.1:{fake.port}/";'
                        f"timeout = {TIMEOUT}; rest = {REST}; learn_timeout = 3;"
                        "autolearn = true; spam_score = 25; ham_score = -100;"
                        "send_message = true; max_size = 100000;"})
    rspamd.fake = fake
    yield rspamd
    rspamd.stop()
    redis.stop()
    fake.listener.close()


def new_lines(place, kinds="warn|error|crit"):
    """What rspamd said of these kinds since the last call, maps apart."""
    log = place.log
    told, place.read = log[getattr(place, "read", 0):], len(log)
    return [line for line in told.splitlines()
            if re.search(rf"\[({kinds})", line) and "; map; " not in line
            and "not enough learns" not in line]


def scan(place, **headers):
    """The symbol that the plugin inserted, or None."""
    symbols = place.scan(letter("spam", 7), **headers)["symbols"]
    ours = [name for name in symbols if name.startswith("NEURALD_")]
    assert symbols and len(ours) <= 1
    return ours[0] if ours else None


def recover(place):
    """neurald answers again, and the plugin asks it again."""
    place.fake.answer = place.fake.verdict
    wait_for(lambda: scan(place) == "NEURALD_SPAM", "the verdict", 30)


BROKEN = [
    lambda link: Fake.say(link, b"\xff\x00" * 1000, 500),
    lambda link: Fake.say(link, VERDICT, 503),
    lambda link: False,
    lambda link: link.sendall(b"\x00\xff\r\n\r\n") or False,
    lambda link: link.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n{")
    or False,
    lambda link: Fake.say(link, b"[" * 5000000),
    *(lambda link, body=body: Fake.say(link, body) for body in (
        b"", b"<html>no</html>", b"null", b"[1]", b"{}",
        b'{"verdict":"spam","weight":' + b"[" * 50000,
        b'{"verdict":"spam","weight":"x","probability":1}',
        b'{"verdict":"spam","weight":2}',
        b'{"verdict":["spam"],"weight":2,"probability":1}',
        b'{"verdict":"spam","weight":1e400,"probability":1}',
        b'.include "/etc/hostname"\n')),
]


@pytest.mark.parametrize("answer", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_answer_is_no_verdict_and_one_warning(place, answer):
    recover(place)
    new_lines(place)
    place.fake.answer = answer
    assert scan(place) is None
    assert scan(place) is None
    recover(place)
    said = new_lines(place)
    assert len(said) == 1 and "neurald gives no verdicts" in said[0], said
    assert len(said[0]) < 600


@pytest.mark.parametrize("code", [400, 401, 413, 429])
def test_a_refusal_is_said_once_and_the_next_message_is_sent(place, code):
    recover(place)
    new_lines(place)
    place.fake.answer = lambda link: Fake.say(link, b'{"error":"no"}', code)
    place.fake.seen.clear()
    for _ in range(5):
        assert scan(place) is None
    assert len(place.fake.seen) == 5  # one message's fault is not the next's
    said = new_lines(place)
    assert len([line for line in said if f"it answers {code}" in line]) == 1
    assert all("neurald" in line and "[warn" in line for line in said), said


def test_a_daemon_that_hangs_costs_no_more_than_the_deadline(place):
    """Also where it trickles; and after three messages none at all. rspamd 3.4
    would log an error of Redis if a scan waited for over a second."""
    recover(place)
    new_lines(place)

    def trickle(link):
        link.sendall(b"HTTP/1.1 200 Yes\r\nContent-Length: 100\r\n\r\n")
        while True:
            link.sendall(b" ")
            time.sleep(0.1)

    for number, answer in enumerate((lambda link: time.sleep(30), trickle)):
        place.fake.answer = answer
        place.fake.seen.clear()
        began = time.monotonic()
        for _ in range(20):
            assert scan(place) is None
        asked = len(place.fake.seen)
        # At least three; more where the scans took so long that it rested.
        assert 3 <= asked <= 4 + (time.monotonic() - began) / REST, asked
        recover(place)
    said = new_lines(place)
    assert len(said) == 2, said
    assert all("neurald gives no verdicts" in line for line in said), said


def test_labels_keep_no_scan_waiting_and_their_loss_is_said(place):
    recover(place)
    new_lines(place)
    release = threading.Event()

    def slow_label(link):
        if place.fake.seen[-1][0].startswith("/v1/learn"):
            release.wait(30)
            return False
        return place.fake.verdict(link)

    place.fake.answer = slow_label
    # It is answered before the label was taken.
    assert scan(place, **{"Neurald-Learn": "spam"}) == "NEURALD_SPAM"
    said = wait_for(lambda: new_lines(place), "the warning", 30)
    assert len(said) == 1 and re.search(
        "neurald does not learn <.*> as spam, which a user said: .*timeout",
        said[0]), said
    release.set()
    wait_for(lambda: scan(place) == "NEURALD_SPAM", "verdicts to go on", 30)


def parts_of(body):
    """The scan and the message of what the plugin sent."""
    _, _, rest = body.partition(b"application/json\r\n\r\n")
    scan_part, _, rest = rest.partition(b"\r\n--")
    _, _, message = rest.partition(b"message/rfc822\r\n\r\n")
    return (json.loads(scan_part.decode("utf-8", "strict")),
            message.rpartition(b"\r\n--")[0])


def test_odd_names_and_identities_travel_as_valid_json(place):
    recover(place)
    place.fake.seen.clear()
    message = (b"Message-ID: <\xff\xfe\x01\"@example.org>\nFrom: a@example.org\n"
               b"Subject: \xff\n\nbody \xff\x00\n")
    place.request("POST", "/checkv2", message, {"X-Odd": "yes"})
    told, sent = parts_of(place.fake.seen[0][1])
    assert sent == message
    names = {name for name in told["symbols"] if name.startswith("ODD")}
    assert names == {"ODD_\xff\xfe", 'ODD "quoted\\', "ODD;{%s}:\t\n",
                     "ODD_\xe9", "ODD_" + "x" * 3000, "ODD_NAN"}
    assert told["symbols"]["ODD_NAN"] == 0
    assert re.fullmatch("[0-9a-f]{32}", told["identity"])
    assert not new_lines(place, "error|crit")


def test_the_settings_of_the_scan_are_told(place):
    recover(place)
    for headers, name in ({}, None), ({"Settings-ID": "outbound"}, "outbound"):
        place.fake.seen.clear()
        scan(place, **headers)
        assert parts_of(place.fake.seen[0][1])[0].get("settings") == name


def test_a_huge_message_is_cut_and_an_empty_one_is_none(place):
    recover(place)
    new_lines(place)
    head = b"Message-ID: <huge@example.org>\nSubject: huge\n\n"
    for message in (head + b"x" * 70 + b"\n" * 20000000, b"", b"\n",
                    b"no header at all", b"A: b\n" * 100000):
        place.fake.seen.clear()
        place.request("POST", "/checkv2", message, {})
        if place.fake.seen:
            sent = parts_of(place.fake.seen[0][1])[1]
            # rspamd itself takes empty lines off the front.
            assert sent == message[:100000].lstrip(b"\n")
    assert not [line for line in new_lines(place)
                if "neurald" in line or "[warn" not in line]

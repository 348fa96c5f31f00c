"""Sinks: what the record holds is sent on at least once, in order, and nothing waits for it."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import logging
import re
import socket
import ssl
import struct
import threading

import pytest

import octossh as oc
from octossh.cli import main
from octossh.sinks import pumping, syslog


def space(*sinks, store="sqlite:///octossh.db", **more):
    hello = oc.RunScript("hello", script="true")
    return oc.Space(store, projects=[oc.Project("shop", process=[hello])], sinks=sinks, **more)


class Box:
    """A sink that keeps what it gets, fails as often as it is told to, and can be held up."""

    def __init__(self, fails=0, name="box"):
        self.name, self.fails = name, fails
        self.got, self.tries = [], 0
        self.held, self.entered = threading.Event(), threading.Event()
        self.held.set()

    def send(self, entries):
        self.tries += 1
        self.entered.set()
        assert self.held.wait(30)
        if self.fails:
            self.fails -= 1
            raise OSError("no room")
        self.got += [entry.seq for entry in entries]


@pytest.mark.parametrize("store", ["sqlite://", "sqlite:///octossh.db"])
def test_all_that_is_recorded_is_sent_in_order_by_the_time_the_space_is_closed(in_tmp, store):
    box = Box()
    with space(box, store=store) as made:
        for _ in range(5):
            made.create_release()
    assert box.got == [1, 2, 3, 4, 5]


def test_what_was_sent_is_not_sent_again_by_the_next_one_and_what_was_not_is(in_tmp, caplog):
    with space() as made:
        made.create_release()
    failing = Box(fails=99)
    with caplog.at_level(logging.WARNING, "octossh.sinks"), space(failing) as made:
        made.create_release()
    assert "audit: box: 2 events not sent: no room; they are sent when" in caplog.text
    box = Box()
    with space(box) as made:
        made.create_release()
    assert box.got == [1, 2, 3]
    later = Box()
    with space(later, Box(name="another")) as made:
        made.create_release()
    assert later.got == [4]


def test_a_sink_that_hangs_holds_nothing_up(in_tmp, caplog):
    box = Box()
    box.held.clear()
    made = space(box)
    made.create_release()
    assert box.entered.wait(30)
    for _ in range(3):
        made.create_release()
    assert len(made.releases()) == 4, "nobody waits for it"
    made._pump.close(timeout_s=0)
    assert "4 events not sent" in caplog.text
    box.held.set()
    made._pump._thread.join(30)
    made.store.close()


def test_one_sink_that_fails_keeps_nothing_from_another(in_tmp):
    box = Box()
    with space(Box(fails=99, name="bad"), box) as made:
        made.create_release()
        made.create_release()
        (left,) = made.send_audit()
        assert (left.sink, left.events, left.why) == ("bad", 2, "no room")
    assert box.got == [1, 2]


def test_two_who_write_at_once_start_one_thread(in_tmp, monkeypatch):
    made = []

    class Slow(threading.Thread):
        def start(self):
            if self.name == "octossh-sinks":
                made.append(self)
                other = threading.Thread(target=pump.wake)
                other.start()
                other.join(0.1)
            super().start()

    monkeypatch.setattr(pumping.threading, "Thread", Slow)
    with space(Box(), store="sqlite://") as opened:
        pump = opened._pump
        pump.wake()
    assert len(made) == 1


@pytest.mark.parametrize("sinks", [("syslog",), (Box(), Box()), (Box(name=""),)])
def test_what_is_no_sink_is_refused_when_the_space_is_made(sinks):
    with pytest.raises(oc.ModelError):
        space(*sinks, store="sqlite://")


class Server:
    """A web server that keeps requests, and answers with the statuses it is given, then 204."""

    def __init__(self, *statuses):
        self.requests = requests = []
        left = list(statuses)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = left.pop(0) if left else 204
                requests.append((status, dict(self.headers), body))
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/audit"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_http_requests_are_signed_over_their_time_and_body(in_tmp):
    with Server() as server:
        with space(oc.HttpSink(server.url, key="geheim", token="auch-geheim")) as made:
            made.create_release()
        ((_, headers, body),) = server.requests
    signed = hmac.new(b"geheim", headers["Octossh-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["Octossh-Signature"] == f"sha256={signed}"
    assert headers["Authorization"] == "Bearer auch-geheim"
    assert json.loads(body)["events"][0]["type"] == "release_created"


@pytest.mark.parametrize("status", [500, 404, 302])
def test_what_a_server_did_not_take_is_sent_again(in_tmp, status, caplog):
    with Server(status) as server:
        with space(oc.HttpSink(server.url)) as made:
            made.create_release()
            made.send_audit()
            assert made.send_audit() == ()
        told = [
            (answered, [event["seq"] for event in json.loads(body)["events"]]) for answered, _, body in server.requests
        ]
    assert told == [(status, [1]), (204, [1])]
    assert f"answered with status {status}" in caplog.text


def test_a_server_that_is_not_there_is_said_without_the_url(in_tmp):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with space(oc.HttpSink(f"http://127.0.0.1:{port}/geheim", timeout_s=1)) as made:
        made.create_release()
        (left,) = made.send_audit()
        assert "cannot be reached" in left.why
        assert "geheim" not in repr((left, made._pump._sinks))


@pytest.mark.parametrize(
    "make",
    [
        lambda: oc.HttpSink("audit.example.com"),
        lambda: oc.HttpSink("http://audit.example.com/"),
        lambda: oc.HttpSink("https://bob:geheim@audit.example.com/"),
        lambda: oc.HttpSink("https://audit.example.com/", key=7),
        lambda: oc.HttpSink("https://audit.example.com/", key=""),
        lambda: oc.HttpSink("https://audit.example.com/", token=oc.Secret("")),
        lambda: oc.SyslogSink("ftp://x"),
        lambda: oc.SyslogSink("udp://"),
        lambda: oc.SyslogSink("tcp://x:99999"),
        lambda: oc.SyslogSink(facility=24),
    ],
)
def test_a_sink_that_cannot_work_is_refused_when_it_is_described(make):
    with pytest.raises(oc.ModelError) as refused:
        make()
    assert "geheim" not in str(refused.value)


def test_syslog_of_this_machine_gets_one_datagram_for_each_event(in_tmp):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind("log")
        log.settimeout(30)
        with space(oc.SyslogSink(f"unix://{in_tmp}/log")) as made:
            made.create_release(notes="x" * 9000)
        message = log.recv(65536).decode()
    head, _, body = message.partition(": ")
    assert re.fullmatch(r"<85>octossh\[\d+\]", head)
    assert json.loads(body)["seq"] == 1


def test_syslog_over_udp_leaves_out_what_is_too_long_and_keeps_the_hash(in_tmp):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
        log.bind(("127.0.0.1", 0))
        log.settimeout(30)
        with space(oc.SyslogSink(f"udp://127.0.0.1:{log.getsockname()[1]}", facility=16)) as made:
            made.store.keep("note", "long", made.project(), why="x" * 9000)
            _, digest = made.store.head()
        message = log.recv(65536).decode()
    assert re.match(r"<133>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ octossh \d+ fact_kept - \{", message)
    told = json.loads(message[message.index("{") :])
    assert (told["hash"], told["data"]) == (digest, {"left_out": "it is too long for a datagram"})


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_syslog_over_tcp_and_tls_counts_its_bytes(in_tmp, scheme, authority):
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)
    got = []

    def take():
        link, _ = listener.accept()
        link.settimeout(30)
        if scheme == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*authority("127.0.0.1"))
            # An end that the sender does not say is none here: what was on its way could be lost.
            link = context.wrap_socket(link, server_side=True, suppress_ragged_eofs=False)
        with link:
            while piece := link.recv(65536):
                got.append(piece)

    taker = threading.Thread(target=take)
    taker.start()
    sink = oc.SyslogSink(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", ca=authority.ca)
    with space() as made:
        made.create_release()
        made.create_release()
    with space(sink) as made:
        assert made.send_audit() == ()
    taker.join(30)
    listener.close()
    left, seqs = b"".join(got), []
    while left:
        size, _, left = left.partition(b" ")
        message, left = left[: int(size)], left[int(size) :]
        seqs.append(json.loads(message[message.index(b"{") :])["seq"])
    assert seqs == [1, 2]


@pytest.mark.parametrize("how", ["resets", "wants a certificate"])
def test_what_a_tls_server_may_not_have_taken_is_sent_again(in_tmp, authority, how, monkeypatch):
    monkeypatch.setattr(syslog, "_REFUSAL_S", 30.0)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)

    def take():
        link, _ = listener.accept()
        link.settimeout(30)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority("127.0.0.1"))
        context.load_verify_locations(authority.ca)
        context.verify_mode = ssl.CERT_NONE if how == "resets" else ssl.CERT_REQUIRED
        with context.wrap_socket(link, server_side=True, do_handshake_on_connect=False) as secure:
            try:
                secure.do_handshake()
                while b'"seq":1' not in secure.recv(65536):
                    pass
                secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except ssl.SSLError:
                # Its refusal is on its way, and is heard before the end.
                while socket.socket.recv(secure, 65536):
                    pass

    taker = threading.Thread(target=take)
    taker.start()
    with space(oc.SyslogSink(f"tls://127.0.0.1:{listener.getsockname()[1]}", ca=authority.ca)) as made:
        made.create_release()
        (left,) = made.send_audit()
    assert left.events == 1
    taker.join(30)
    listener.close()


def test_a_tls_server_that_nobody_vouches_for_gets_nothing(in_tmp, authority):
    listener = socket.create_server(("127.0.0.1", 0))
    got = []

    def take():
        link, _ = listener.accept()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority("127.0.0.1"))
        try:
            with context.wrap_socket(link, server_side=True) as secure:
                got.append(secure.recv(100))
        except OSError:
            link.close()

    taker = threading.Thread(target=take)
    taker.start()
    with space() as made:
        made.create_release()
    with space(oc.SyslogSink(f"tls://127.0.0.1:{listener.getsockname()[1]}")) as made:
        (left,) = made.send_audit()
        assert "certificate" in left.why
    taker.join(30)
    listener.close()
    assert got in ([], [b""])


def test_the_command_sends_what_is_left_and_says_what_could_not_be_sent(in_tmp, capsys):
    (in_tmp / "octofile.py").write_text(
        "import pathlib\n"
        "import octossh as oc\n"
        "class Sink:\n"
        '    name = "file"\n'
        "    def send(self, entries):\n"
        '        with open(pathlib.Path("sent"), "a") as file:\n'
        '            file.write("".join(f"{entry.seq}\\n" for entry in entries))\n'
        'hello = oc.RunScript("hello", script="true")\n'
        'space = oc.Space(projects=[oc.Project("shop", process=[hello])], sinks=[Sink()])\n'
    )
    main(["release", "create", "-q"])
    assert (in_tmp / "sent").read_text() == "1\n", "a command waits a little for what is on its way"
    main(["audit", "send"])
    assert capsys.readouterr().out.endswith("all events are sent\n")
    (in_tmp / "sent").unlink()
    (in_tmp / "sent").mkdir()
    main(["release", "create", "-q"])
    with pytest.raises(SystemExit) as ended:
        main(["audit", "send", "--json"])
    assert ended.value.code == 1
    printed = capsys.readouterr().out
    (left,) = json.loads(printed[printed.rindex('{\n  "backlog"') :])["backlog"]
    assert (left["sink"], left["events"]) == ("file", 1)

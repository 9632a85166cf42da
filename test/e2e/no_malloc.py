#!/usr/bin/python3
"""After start-up nothing is allocated: build/presenced.counting ends at the first malloc, calloc, realloc or free behind the loop's
first wait. It is driven through all dialects, all of REST, refusals, slow readers, half-open connections, and the drain; two more ask other services, by name, with and without TLS. (Only the
loop's thread is judged: test/malloc/counting.c says why.)"""
import json, os, socket, subprocess, sys, tempfile, time
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
os.environ["PRESENCED_BINARY"] = os.path.join(ROOT, "build/presenced.counting")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from secure import service
from server import Raw, Server, masked, upgrade, websocket
from tap import end, ok

V1 = "/api/v1/presence/"
USER = {"user_ids": ["ann", "bob", "nobody"]}
STATE = {"online_status": "busy", "custom_status": "in a meeting", "metadata": {"a": [1, 2, {"b": "c"}]}}
ROUTES = [  # method, path, body (None: none), listener
    ("GET", "/", None, 0), ("GET", "/ws", None, 0), ("GET", "/health", None, 0), ("GET", "/live", None, 0), ("GET", "/ready", None, 0),
    ("GET", "/metrics", None, 0), ("GET", "/favicon.ico", None, 0), ("GET", "/robots.txt", None, 0), ("GET", "/presence", None, 0),
    ("HEAD", "/presence", None, 0), ("GET", "/presence/ann", None, 0), ("GET", V1 + "ann", None, 0), ("GET", "/ann", None, 0),
    ("PUT", V1 + "ann", STATE, 0), ("POST", V1 + "zoe", STATE, 0), ("PUT", V1 + "ann", {"online_status": "nonsense"}, 0),
    ("POST", V1 + "bulk", USER, 0), ("POST", V1 + "ann/heartbeat", None, 0), ("POST", V1 + "dave/heartbeat", {"device_id": "d"}, 0),
    ("GET", V1 + "ann/devices", None, 0), ("POST", "/api/v1/typing", {"conversation_id": "c", "user_id": "ann", "is_typing": True}, 0),
    ("POST", "/api/v1/broadcast", {"all": True, "data": {"x": 1}}, 0), ("POST", "/api/v1/broadcast", {"room": "c", "data": 5}, 0),
    ("POST", "/api/v1/broadcast", {"users": ["ann"], "exclude": ["bob"], "type": "hello", "data": "y"}, 0),
    ("OPTIONS", V1 + "ann", None, 0), ("DELETE", V1 + "ann", None, 0), ("GET", "/no/such/path", None, 0), ("GET", "/a%GGb", None, 0),
    ("GET", "/admin/connections?limit=5", None, 1), ("GET", "/admin/stats", None, 1), ("GET", "/admin/stats", None, 0),
    ("DELETE", "/admin/connections/0123456789abcdef", None, 1), ("DELETE", "/admin/users/kicked", None, 1),
]
DOTTED = {"conversation_id": "c", "conversation_ids": ["c", "d"], "user_ids": ["ann"]}
MESSAGES = {  # dialect: (target, header, messages)
    "snake": ("/ws", "X-User-ID: ann", [
        {"type": "presence_update", "payload": STATE}, {"type": "heartbeat"}, {"type": "ping"},
        {"type": "subscribe", "payload": {"conversation_id": "c"}}, {"type": "unsubscribe", "payload": {"conversation_id": "c"}},
        {"type": "typing", "payload": {"conversation_id": "c", "is_typing": True, "recipient_ids": ["bob"]}}, {"type": "dance"}]),
    "dotted": ("/ws?user_id=bob", "X-Device-ID: b1", [{"id": "m%d" % i, "type": t, "payload": p} for i, (t, p) in enumerate([
        ("ping", {}), ("authenticate", {"token": "x"}), ("subscribe", {"topics": ["presence", "typing", "conversation", "calls"], "filters": DOTTED}),
        ("presence.update", {"status": "away"}), ("presence.query", USER), ("typing.start", {"conversation_id": "c"}),
        ("typing.stop", {"conversation_id": "c"}), ("mark.read", {"conversation_id": "c", "message_id": "1", "sender_id": "ann"}),
        ("mark.delivered", {"conversation_id": "c", "message_ids": ["1", "2"]}), ("call.offer", {"call_id": "k", "target_user_id": "ann", "sdp": "s"}),
        ("call.ice", {"call_id": "k", "candidate": "i"}), ("call.hangup", {"call_id": "k"}),
        ("unsubscribe", {"topics": ["typing"], "filters": DOTTED}), ("no.such", {})])]),
    "rooms": ("/ws?dialect=rooms&user_id=carol&username=Carol", "X: y", [
        {"type": "subscribe", "channel_id": "c"}, {"type": "subscribe", "dm_id": "d"}, {"type": "typing", "channel_id": "c"}, {"type": "ping"},
        {"type": "status", "status": "away", "custom_status": "tea"}, {"type": "unsubscribe", "channel_id": "c"}, {"type": "nonsense"}]),
    "roster": ("/ws?dialect=roster&user_id=dora", "X: y", [{"type": "ping"}, {"type": "sub"}]),
    "upper": ("/?userId=emil", "X: y", [
        {"type": "PRESENCE_UPDATE", "payload": {"status": "dnd", "metadata": {"m": 1}}}, {"type": "HEARTBEAT"}, {"type": "dance"},
        {"type": "DISCONNECT"}]),
}
REFUSED = [
    b"GET / HTTP/1.1\nHost: a\n\n", b"GET / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET /" + b"a" * 9000, b"PUT /api/v1/presence/a HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n", b"\x16\x03\x01\x02\x00",
    b"PUT /api/v1/presence/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"a\":1,}}",
    upgrade("/ws"), upgrade("/"), upgrade("/elsewhere?user_id=a"), upgrade("/ws?user_id=a&user_id=b"), upgrade("/ws?user_id=a", "X-User-ID: b"),
    upgrade("/ws?user_id=a", "Origin: https://evil.example"), upgrade("/ws?user_id=a", key=False), upgrade("/ws?user_id=a", version=False),
    upgrade("/ws?user_id=a&token=x.y.z"), upgrade("/ws?user_id=a&dialect=klingon"),
]
BROKEN = [  # after an upgrade
    b"\x81\x02hi", masked(2, b"bin"), masked(1, b"\xff"), masked(1, b"x", length=400000), masked(1, b"x", rsv=64), masked(3, b""),
    masked(9, b"p", fin=False), masked(0, b"x"), masked(8, b"\x03"), masked(8, b"\x03\xe8bye"), b"".join(masked(9, b"%d" % i) for i in range(300)),
    b"".join(masked(1, b"nonsense") for _ in range(30)), b"".join(masked(1, b'{"type":"ping"}') for _ in range(300)),
    masked(1, b"", fin=False) + masked(0, b"", fin=False) * 1100,
]


def request(method, path, body):
    text = b"" if body is None else json.dumps(body).encode()
    kind = "" if body is None else "Content-Type: application/json\r\nContent-Length: %d\r\n" % len(text)
    kind += "".join("%s: %s\r\n" % pair for pair in service(path))
    return ("%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n" % (method, path, kind)).encode() + text


def read_to_end(raw, seconds=3):
    """What still comes, up to an end, a reset or silence."""
    raw.socket.settimeout(seconds)
    got = raw.got
    try:
        while True:
            more = raw.socket.recv(65536)
            if not more:
                return got
            got += more
    except OSError:
        return got


def dialects(server):
    for target, header, messages in MESSAGES.values():
        for split in (False, True):
            raw = websocket(server, target, header)
            for m in messages:
                text = json.dumps(m).encode()
                if split:
                    raw.send(masked(1, text[:9], fin=False))
                    raw.send(masked(9, b"between"))
                    raw.send(masked(0, text[9:]))
                else:
                    raw.send(masked(1, text))
            raw.send(masked(8, b"\x03\xe8"))
            read_to_end(raw)


def rest(server):
    for method, path, body, listener in ROUTES:
        with Raw(server.ports[listener], request(method, path, body)) as raw:
            if not read_to_end(raw).startswith(b"HTTP/1.1 "):
                raise AssertionError("no answer to %s %s" % (method, path))


def refusals(server):
    for bytes_ in REFUSED:
        with Raw(server.port, bytes_) as raw:
            read_to_end(raw, 0.3)
    for bytes_ in BROKEN:
        with websocket(server, "/ws?user_id=broken") as raw:
            try:
                raw.send(bytes_)
            except OSError:
                pass
            read_to_end(raw, 0.3)


def echo(server):
    with websocket(server, "/", listener=2) as raw:
        raw.send(masked(2, b"x" * 200000, fin=False) + masked(0, b"y" * 60000))
        first, payload = raw.frame()
        if len(payload) != 260000:
            raise AssertionError("echo")


def slow_readers(server):
    slow = [websocket(server, "/ws?user_id=slow%d" % i, "X-User-ID: slow%d" % i, rcvbuf=4096) for i in range(5)]
    busy = websocket(server, "/?userId=busy")
    data = {"all": True, "data": "x" * 50000}
    for i in range(60):
        with Raw(server.port, request("POST", "/api/v1/broadcast", data)) as raw:
            read_to_end(raw)
        try:
            busy.send(masked(1, json.dumps({"type": "PRESENCE_UPDATE", "payload": {"status": ["online", "dnd"][i % 2]}})))
        except OSError:
            pass
    for raw in slow + [busy]:
        raw.close()


def loose_ends(server):
    # Half a head, half a body, half a frame, half a message; dropped, reset, half-closed.
    for bytes_ in (b"", b"GET / HT", request("PUT", V1 + "a", STATE)[:-5], upgrade() + masked(1, b"x", length=9),
                   upgrade() + masked(1, b"x" * 50, fin=False), b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n" * 3000):
        for how in ("close", "reset", "half"):
            raw = Raw(server.port, bytes_)
            if how == "reset":
                raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            if how == "half":
                raw.socket.shutdown(socket.SHUT_WR)
                read_to_end(raw, 0.5)
            raw.close()


def drain(server):
    kept = [websocket(server, "/ws?user_id=d%d" % i) for i in range(20)]
    server.terminate()
    with Raw(server.port, upgrade("/ws?user_id=late")) as raw:
        read_to_end(raw, 0.3)
    for raw in kept:
        raw.frames_until_close()
        raw.send(masked(8, b"\x03\xe9"))


def ask_services():
    """Users and keys from test/unit/fetch_service.py. None, or what went wrong."""
    with tempfile.TemporaryDirectory() as directory:
        service = subprocess.Popen(["python3", os.path.join(ROOT, "test/unit/fetch_service.py"), directory], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, universal_newlines=True)
        ports = dict(line.strip().split("=") for line in iter(service.stdout.readline, "\n"))
        token = "eyJhbGciOiJFUzI1NiIsImtpZCI6Im5vbmUifQ.e30." + "A" * 86
        why = None
        for options, target, line in (
                ("--user-check-url=http://localhost:%s/users" % ports["plain"], "/ws?user_id=a/b?%23%25%20%C3%A4.~", b" 101 "),
                ("--user-check-url=http://localhost:%s/users" % ports["plain"], "/ws?user_id=b", b" 403 "),
                ("--user-check-url=https://localhost:%s/users --ca-file=%s/ca.pem" % (ports["good"], directory),
                 "/ws?user_id=a/b?%23%25%20%C3%A4.~", b" 101 "),
                ("--user-check-url=https://localhost:%s/ok --ca-file=%s/ca.pem" % (ports["other"], directory), "/ws?user_id=b", b" 503 "),
                ("--user-check-url=http://no.such.name.invalid/", "/ws?user_id=b", b" 503 "),
                ("--jwks-url=https://localhost:%s/ok --ca-file=%s/ca.pem --jwt-issuer=i --jwt-audience=a --auth=jwt"
                 % (ports["good"], directory), "/ws?token=" + token, None),
                ("--jwks-url=http://localhost:%s/huge --jwt-issuer=i --jwt-audience=a --auth=jwt" % ports["plain"], "/ws?token=" + token, None)):
            server = Server(*options.split())
            with Raw(server.port, upgrade(target)) as raw:
                got = read_to_end(raw, 1)
            server.terminate()
            ended = server.ended()
            asked = "Keys could not be fetched" in server.log() if line is None else line in got.split(b"\r\n")[0]
            if not asked:
                why = why or "%s: %r\n%s" % (options, got[:200], server.log()[-500:])
            if ended and "did not answer" not in ended and "could not be fetched" not in ended:
                why = why or options + ": " + ended
        service.stdin.close()
        service.wait()
        return why


def main():
    if not os.path.exists(os.environ["PRESENCED_BINARY"]):
        ok(False, "build/presenced.counting is there", "make build/presenced.counting")
        end()
    key = tempfile.NamedTemporaryFile("w")
    key.write("a-key\n")
    key.flush()
    options = "--offline-debounce=300ms --typing-ttl=200ms --presence-ttl=1s --cleanup-interval=1s --stale-timeout=60s --ping-period=500ms " \
        "--write-wait=1s --max-connections=200 --log-level=debug --max-connections-per-ip=150 --max-message-size=300000"
    server = Server(*options.split(), "--api-key-file=" + key.name, listen=("", "admin", "dialect=echo"))
    for step in (dialects, rest, refusals, echo, slow_readers, loose_ends, drain):
        why = None
        try:
            if step is drain:
                time.sleep(1.5)  # debounces, typing and presence end by their timers
            step(server)
        except Exception as e:
            why = repr(e)
        if server.process.poll() not in (None, 0):
            why = server.log()[-500:]
        ok(why is None, "nothing is allocated: " + step.__name__.replace("_", " "), why or "")
        if why is not None:
            break
    why = server.ended()
    ok(why is None, "it ends with exit code 0 and a clean log", why or "")
    why = ask_services()
    ok(why is None, "nothing is allocated: asking services", why or "")
    end()


main()

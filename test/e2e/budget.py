#!/usr/bin/python3
"""The process stays inside the memory that `presenced check` prints, whatever arrives; those who behave are served meanwhile."""
import json, os, random, re, resource, socket, subprocess, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from server import BINARY, Raw, Server, environment, masked, upgrade, websocket
from tap import end, ok

OPTIONS = ["--max-connections=1200", "--max-connections-per-user=1200", "--message-rate=100000", "--message-burst=100000",
           "--write-wait=20s"]
FIXED_MIB = 4       # the program itself, its stack, the loop
PATIENCE_S = 3      # for a ping among all that; the machine is shared
V1 = "/api/v1/presence/"
held = []
chance = random.Random(2)


def budget_mib(options=OPTIONS):
    out = subprocess.run([BINARY, "check", *options], env=environment(), stdout=subprocess.PIPE, check=True).stdout.decode()
    return float(re.search(r"# total +([0-9.]+) MiB", out)[1])


def resident_mib(server):
    with open("/proc/%d/status" % server.pid) as f:
        return int(re.search(r"VmHWM:\s+(\d+) kB", f.read())[1]) / 1024


def push(raw, data, seconds=0.2):
    """As much as it takes; what is refused or closed does not matter here."""
    raw.socket.settimeout(seconds)
    try:
        raw.socket.sendall(data)
    except OSError:
        pass


def put(method, path, body):
    text = json.dumps(body).encode()
    return ("%s %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (method, path, len(text))).encode() + text


def hold(server, first=b"", **options):
    try:
        raw = Raw(server.port, **options)
    except OSError:
        return None
    held.append(raw)
    push(raw, first)
    return raw


def user(i):
    return "%04d" % i + "u" * 120


def half_open(server):
    for i in range(300):
        hold(server)
        hold(server, b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\n" + b"x: y\r\n" * 90)


def partial_bodies(server):
    for i in range(300):
        hold(server, b"PUT /api/v1/presence/u HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n" + b"x" * 50000)


def partial_messages(server):
    for i in range(12):
        push(hold(server, upgrade("/ws?user_id=large%d" % i)), masked(1, b"x" * 9000000, length=10000000), 3)
    for i in range(300):
        hold(server, upgrade("/ws?user_id=piece%d" % i, "X-User-ID: piece%d" % i) + masked(1, b"x" * 60000, fin=False))


def slow_readers(server):
    for i in range(150):
        hold(server, upgrade("/ws?user_id=slow%d" % i), rcvbuf=2048)
    with Raw(server.port) as raw:
        for i in range(120):
            raw.send(put("POST", "/api/v1/broadcast", {"all": True, "data": "%03d" % i + "x" * 60000}))
            raw.answer()
    known = put("POST", V1 + "bulk", {"user_ids": [user(i) for i in range(400)]})  # answers of 1 MB, to each its own
    for i in range(60):
        hold(server, known * 3, rcvbuf=2048)
    for i in range(30):
        hold(server, (b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" + b"GET /presence HTTP/1.1\r\nHost: a\r\n\r\n") * 200, rcvbuf=2048)


def many_of_everything(server):
    for i in range(150):
        subscribe = b"".join(masked(1, json.dumps({"type": "subscribe", "id": "s", "payload": {"topics": ["conversation", "typing"], "filters": {
            "conversation_ids": ["r%d-%d-%s" % (i, j, "y" * 100) for j in range(k, k + 20)]}}})) for k in range(0, 200, 20))
        hold(server, upgrade("/ws?user_id=many%d&device_id=%s" % (i, "d" * 120)) + subscribe)
    with Raw(server.port, seconds=20) as raw:
        for i in range(4000):
            raw.send(put("PUT", V1 + user(i), {"online_status": "busy", "custom_status": "c" * 250, "metadata": {"m": "z" * 2000}}))
            if i % 20 == 19:
                for _ in range(20):
                    raw.answer(20)


def garbage(server):
    for i in range(150):
        hold(server, bytes(chance.randrange(256) for _ in range(chance.randrange(1, 3000))))
        hold(server, upgrade("/ws?user_id=g%d" % i) + bytes(chance.randrange(256) for _ in range(chance.randrange(1, 3000))))


def ping(raw):
    """Seconds until the pong; infinite without one."""
    start = time.monotonic()
    raw.socket.settimeout(PATIENCE_S)
    try:
        raw.send(masked(1, b'{"type":"ping"}'))
        while True:
            first, payload = raw.frame(PATIENCE_S)
            if b'"pong"' in payload[:40]:
                return time.monotonic() - start
    except (OSError, AssertionError):
        return float("inf")


def let_go():
    for raw in held:
        raw.close()
    del held[:]


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit = budget_mib() + FIXED_MIB
    server = Server(*OPTIONS)
    friends = [websocket(server, "/ws?dialect=roster&user_id=friend%d" % i) for i in range(4)]
    for attack in ATTACKS:
        name, why = attack.__name__.replace("_", " "), ""
        try:
            attack(server)
        except (OSError, AssertionError) as e:
            why = "the attack: %r" % e
        slowest = max(ping(f) for f in friends)
        used = resident_mib(server)
        print("# %s: %.1f MiB of %.1f resident at most, slowest pong %.0f ms %s" % (name, used, limit, slowest * 1000, why))
        ok(used <= limit, name + ": inside the budget", "%.1f MiB of %.1f" % (used, limit))
        ok(slowest <= PATIENCE_S, name + ": those who were there are served", "%.3f s" % slowest)
        if attack in (partial_bodies, partial_messages, slow_readers):
            let_go()
    let_go()
    with websocket(server, "/ws?dialect=roster&user_id=after") as raw:
        ok(ping(raw) <= PATIENCE_S, "afterwards somebody new is served")
    with Raw(server.port, b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n") as raw:
        ok(raw.answer()[0] == 200, "and REST answers")
    for f in friends:
        f.close()
    why = server.stop()
    ok(why is None, "SIGTERM: exit code 0, and nothing in the log that should not be there", why or "")
    end()


ATTACKS = (half_open, partial_bodies, partial_messages, many_of_everything, slow_readers, garbage)
if __name__ == "__main__":  # test/scorecard attacks with the same
    main()

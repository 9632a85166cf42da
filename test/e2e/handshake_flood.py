#!/usr/bin/python3
"""RELIABILITY U15: handshakes as fast as another process makes them, beyond the cap of an address, of the server, and of
new connections per second. Those who are there keep their connections and hear every event, in order; each who is refused
gets one answer that says when to come back; who is admitted is served. The latencies are printed, never judged."""
import json, os, re, select, socket, struct, subprocess, sys, time
from collections import Counter
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from server import BINARY, Raw, Server, environment, masked, upgrade, websocket
from tap import end, ok
from web import curl

THERE = 20                    # established clients, all from 127.0.0.1
FEW, MANY = 30, 300           # handshakes under way: fewer than half of the slots that a server has to spare (64), and more
STAY, RETURN_EVERY = 20, 100  # admitted connections kept; of so many refusals one makes the longest there leave
RETRY_S = range(5, 15)        # what Retry-After may say
SECONDS = 1                   # of each stretch that is measured
EVENT_EVERY_S = 0.002
PATIENCE_S = 10               # the machine is shared
FIXED_MIB = 4                 # the program itself, its stack, the loop
IP_BIND_ADDRESS_NO_PORT = 24
RESET = struct.pack("ii", 1, 0)
PING, PONG = masked(1, b'{"id":"p","type":"ping"}'), b'"pong"'

# Name, the server's options, how many at a time from how many addresses, the only refusal, its reason in /metrics, how many
# are let in.
FULL = ["--max-connections=%d" % (THERE + STAY), "--max-connections-per-ip=1000"]
FLOODS = [
    ("an address over its cap", ["--max-connections=100", "--max-connections-per-ip=%d" % THERE], FEW, 1, 429, "address_cap", STAY),
    ("a full server", FULL, FEW, 50, 503, "server_full", STAY),
    ("a full server, its spare slots taken too", FULL, MANY, 50, 503, "server_full", STAY),
    ("a rate of new connections", ["--max-connections=1000", "--connection-rate=100"], FEW, 50, 503, "connection_rate", None),
]


# --- the flood, in a process of its own: handshake_flood.py --flood PORT AT_A_TIME ADDRESSES ---

def ask(port, number, addresses):
    s = socket.socket()
    s.settimeout(PATIENCE_S)
    s.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)  # leaves no TIME_WAIT behind for the next test
    s.bind(("127.0.1.%d" % (1 + number % addresses), 0))
    s.connect(("127.0.0.1", port))
    s.sendall(upgrade("/ws?user_id=f%d" % (number % 999)))
    return s


def answer_of(s):
    """All that is said to one who asked: to the end of the stream, or to the end of the 101."""
    got = b""
    while True:
        more = s.recv(65536)
        got += more
        if not more or got.startswith(b"HTTP/1.1 101 ") and b"\r\n\r\n" in got:
            return got


def is_served(s):
    got = b""
    s.sendall(PING)
    while PONG not in got:
        more = s.recv(65536)
        if not more:
            return False
        got = got[-20:] + more
    return True


def refusal_of(got):
    """Status and Retry-After if this is one whole answer and nothing else, else None."""
    head, _, body = got.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    later = re.findall(rb"(?i)\r\nretry-after: *(\d+)(?=\r|$)", head)
    if not re.match(rb"HTTP/1\.1 (429|503) ", head) or not length or int(length[1]) != len(body) or len(later) != 1:
        return None
    return int(head[9:12]), int(later[0])


def flood(port, at_a_time, addresses):
    """Until standard input ends. Prints what came back as JSON."""
    refused, wrong, stay, admitted, most, number = Counter(), [], [], 0, 0, 0
    began = time.monotonic()
    while not select.select([sys.stdin], [], [], 0)[0]:
        for s in [ask(port, number + i, addresses) for i in range(at_a_time)]:
            number += 1
            try:
                got = answer_of(s)
                if got.startswith(b"HTTP/1.1 101 "):
                    admitted += 1
                    if not is_served(s):
                        wrong.append("admitted, but not served")
                    stay.append(s)
                    most = max(most, len(stay))
                    continue
                refused[refusal_of(got)] += 1
                if refusal_of(got) is None:
                    wrong.append(repr(got))
            except OSError as e:
                wrong.append(repr(e))
            s.close()
            if stay and (number % RETURN_EVERY == 0 or len(stay) > 2 * STAY):
                stay.pop(0).close()
    took = time.monotonic() - began
    wrong += ["served once, then no more" for s in stay if not is_served(s)]
    print(json.dumps({"handshakes": number, "admitted": admitted, "most": most, "seconds": took, "wrong": wrong[:5],
                      "refused": [[k[0], k[1], n] for k, n in refused.items() if k]}))


# --- those who are there ---

class Crowd:
    """Each says in turn that it types, or no longer; all others hear it, and nothing is said twice or lost."""

    def __init__(self, server):
        self.raws = [websocket(server, "/ws?user_id=there%02d" % i) for i in range(THERE)]
        self.said, self.heard = [0] * THERE, [[0] * THERE for _ in range(THERE)]
        for raw in self.raws:
            raw.send(masked(1, json.dumps({"id": "s", "type": "subscribe", "payload": {
                "topics": ["typing"], "filters": {"conversation_id": "room"}}})))
            raw.until(lambda got: b'"subscribed"' in got, PATIENCE_S)
            raw.socket.setblocking(False)
            raw.got = b""
        self.by_fd = {raw.socket.fileno(): i for i, raw in enumerate(self.raws)}
        self.poll = select.epoll()
        for fd in self.by_fd:
            self.poll.register(fd, select.EPOLLIN)

    def take(self, listener):
        """What one has heard: how many events. Raises on a closed connection, and on an event out of turn."""
        raw, events = self.raws[listener], 0
        data = raw.socket.recv(65536)
        assert data, "client %d was closed" % listener
        raw.got += data
        while len(raw.got) >= 2 and len(raw.got) >= 4 * (raw.got[1] == 126) + 2:
            at, size = (2, raw.got[1]) if raw.got[1] < 126 else (4, int.from_bytes(raw.got[2:4], "big"))
            if len(raw.got) < at + size:
                break
            first, text, raw.got = raw.got[0], raw.got[at:at + size], raw.got[at + size:]
            assert first != 0x88, "client %d was closed: %r" % (listener, text)
            message = json.loads(text)
            if message["type"].startswith("typing."):
                speaker = int(message["payload"]["user_id"][5:])
                wanted = "typing.stop" if self.heard[listener][speaker] % 2 else "typing.start"
                assert message["type"] == wanted, "client %d heard %s of %d out of turn" % (listener, message["type"], speaker)
                self.heard[listener][speaker] += 1
                events += 1
        return events

    def exchange(self, seconds, latencies):
        until, speaker = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            kind = "typing.stop" if self.said[speaker] % 2 else "typing.start"
            self.said[speaker] += 1
            left, start = THERE - 1, time.monotonic()
            self.raws[speaker].socket.send(masked(1, '{"type":"%s","payload":{"conversation_id":"room"}}' % kind))
            while left > 0:
                ready = self.poll.poll(PATIENCE_S)
                assert ready, "%d of %d did not hear an event" % (left, THERE - 1)
                for fd, _ in ready:
                    count = self.take(self.by_fd[fd])
                    left -= count
                    latencies += [time.monotonic() - start] * count
            speaker = (speaker + 1) % THERE
            time.sleep(EVENT_EVERY_S)

    def all_heard(self):
        return all(self.heard[l][s] == self.said[s] for l in range(THERE) for s in range(THERE) if l != s)

    def all_served(self):
        for raw in self.raws:
            raw.socket.settimeout(PATIENCE_S)
        return all(is_served(raw.socket) for raw in self.raws)


def p99_ms(latencies):
    return sorted(latencies)[len(latencies) * 99 // 100] * 1000


def refusals(server):
    text = curl(server.http("/metrics")).body.decode()
    return {k: int(v) for k, v in re.findall(r'presenced_refused_total\{reason="(\w+)"\} (\d+)', text) if v != "0"}


def budget_mib(options):
    out = subprocess.run([BINARY, "check", *options], env=environment(), stdout=subprocess.PIPE, check=True).stdout.decode()
    return float(re.search(r"# total +([0-9.]+) MiB", out)[1])


def resident_mib(server):
    with open("/proc/%d/status" % server.pid) as f:
        return int(re.search(r"VmHWM:\s+(\d+) kB", f.read())[1]) / 1024


def scene(name, options, at_a_time, addresses, status, reason, admitted):
    options = options + ["--message-rate=0"]
    server, quiet, flooded, why = Server(*options), [], [], ""
    crowd = Crowd(server)
    crowd.exchange(SECONDS / 4, [])
    crowd.exchange(SECONDS, quiet)
    argv = ["--flood", str(server.port), str(at_a_time), str(addresses)]
    dialer = subprocess.Popen([sys.executable, os.path.abspath(__file__)] + argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        crowd.exchange(SECONDS / 4, [])
        crowd.exchange(SECONDS, flooded)
    except (AssertionError, OSError) as e:
        why = str(e) or repr(e)
    try:
        out, _ = dialer.communicate(timeout=PATIENCE_S * 2)
    except subprocess.TimeoutExpired:
        dialer.kill()
        out, _ = dialer.communicate()
    told = json.loads(out or b'{"handshakes":0,"admitted":0,"most":0,"seconds":1,"wrong":["no end"],"refused":[]}')
    count = sum(n for _, _, n in told["refused"])
    before, during = p99_ms(quiet), p99_ms(flooded or [0])
    print("# %s: %d handshakes/s, %d admitted, %d refused; p99 of %d and %d deliveries: %.2f ms quiet, %.2f ms flooded, x %.2f" % (
        name, told["handshakes"] / told["seconds"], told["admitted"], count, len(quiet), len(flooded), before, during,
        during / before))
    ok(why == "" and crowd.all_heard(), name + ": those who were there hear every event once, in order", why)
    ok(crowd.all_served(), name + ": and are served after it")
    ok(not told["wrong"] and count > 0 and {s for s, _, _ in told["refused"]} == {status},
       name + ": each refused one gets %d, once, and the end of the stream" % status, told)
    later = {s for _, s, _ in told["refused"]}
    ok(later <= set(RETRY_S) and len(later) > len(RETRY_S) // 2, name + ": Retry-After is in its range, and spread",
       sorted(later))
    if admitted is not None:
        ok(told["most"] == admitted and told["admitted"] > admitted,
           name + ": the cap, and some in the place of those who left, are admitted and served", told)
    else:
        ok(0 < told["admitted"] <= 100 * (told["seconds"] + 1) + 1,
           name + ": no more than the rate are admitted, and served", told)
    got = refusals(server)
    ok(got == {reason: count}, name + ": every refusal is counted by its reason", "%r, refused %d" % (got, count))
    used, limit = resident_mib(server), budget_mib(options) + FIXED_MIB
    ok(used <= limit, name + ": inside the budget", "%.1f MiB of %.1f" % (used, limit))
    for raw in crowd.raws:
        raw.close()
    why = server.stop()
    ok(why is None, name + ": SIGTERM: exit code 0, and nothing in the log that should not be there", why or "")


if sys.argv[1:2] == ["--flood"]:
    flood(*map(int, sys.argv[2:5]))
    sys.exit(0)
for row in FLOODS:
    if len(sys.argv) < 2 or sys.argv[1] in row[0]:
        try:
            scene(*row)
        except Exception as e:
            ok(False, row[0], repr(e))
end()

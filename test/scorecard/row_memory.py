"""S7: all attacks at a server whose memory is limited to what `presenced check` prints and 8 MiB, by a cgroup (RLIMIT_AS where there is
none), and that ends at the first malloc after its start (build/presenced.counting)."""
import asyncio, os, resource, sys, tempfile, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import budget, hostile, tap
from lib import place, scene
from lib.cgroup import Cgroup, NotHere
from lib.row import Row
from secure import signed
from server import Raw, masked, upgrade, websocket

TITLE = "memory under all attacks"
OPTIONS = ["--max-connections", "1200", "--max-connections-per-user", "1200", "--message-rate", "100000", "--message-burst", "100000",
           "--write-wait", "20s", "--offline-debounce", "100ms", "--presence-rate", "0"]
OVER, RSS_OVER = 8 << 20, 4 << 20
MIB = 1 << 20
V1 = "/api/v1/presence/"


# --- what budget.py has not ---

def flood_of_connections(s):
    place.generate("load", "connect", "--clients", 100, "--seconds", 2, "--users", 8192, "--dialect", "snake", "--port", s.port, "--pid", s.pid)
    crowd = [budget.hold(s) for _ in range(3000)]
    time.sleep(0.5)
    del crowd


def json_bombs(s):
    bombs = [b"[" * 65000, b'{"a":' * 10000, b"[[]," * 16000, b'"' + b"\\u0041" * 10000 + b'"', b"[" + b"1," * 30000 + b"1]",
             b'{"type":"subscribe","payload":{"topics":[' + b'"presence",' * 5000 + b'"x"]}}']
    for i in range(40):
        for bomb in bombs:
            budget.push(budget.hold(s, upgrade("/ws?user_id=bomb%d" % i)), masked(1, bomb) * 3)
            head = "PUT %sbomb HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (V1, len(bomb))
            budget.hold(s, head.encode() + bomb)
        budget.let_go()


def endless_fragments_and_pings(s):
    for i in range(200):
        budget.hold(s, upgrade("/ws?user_id=frag%d" % i, "X-User-ID: frag%d" % i) + masked(1, b"x", fin=False) + masked(0, b"", fin=False) * 900,
                    rcvbuf=2048)
        budget.hold(s, upgrade("/ws?user_id=ping%d" % i, "X-User-ID: ping%d" % i) + masked(9, b"p" * 125) * 800, rcvbuf=2048)


def rest_readers(s):
    for i in range(300):
        budget.hold(s, (b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" + b"GET /presence HTTP/1.1\r\nHost: a\r\n\r\n") * 100, rcvbuf=2048)


async def _hostile(server, seconds=28):
    return [name for (name, _), why in zip(tap.CASES, await asyncio.gather(*[tap._one(f, server, seconds) for _, f in tap.CASES])) if why]


def hostile_inputs(s):
    wrong = asyncio.run(_hostile(s))
    assert not wrong, "of %d hostile inputs these did not get what they must: %s" % (len(tap.CASES), wrong[:5])


ATTACKS = (hostile_inputs,) + budget.ATTACKS + (endless_fragments_and_pings, rest_readers, json_bombs, flood_of_connections)
LET_GO = (budget.partial_bodies, budget.partial_messages, budget.slow_readers, endless_fragments_and_pings, rest_readers)


# --- the kernel's part: what is sent and not read by us, because our answers are not read ---

STUFFED, EACH = 600, 192 << 10  # a connection's buffers (src/net/socket.c, doubled by the kernel)


def stuffed(s):
    for kind in ("dialect=rooms&user_id=st%d", "dialect=dotted&user_id=du%d"):
        several = [budget.hold(s, upgrade("/ws?" + kind % i), rcvbuf=2048) for i in range(STUFFED)]
        for _ in range(3):
            for raw in several:
                budget.push(raw, masked(1, b'{"type":"ping"}') * 50000, 0.02)
        budget.let_go()


# --- tokens, at a server that verifies them ---

def tokens(s):
    good, now = b"a secret of the scorecard's own, long enough", int(time.time())
    for i in range(400):
        claims = {"sub": "u%d" % i, "exp": now + 3600, "junk": "j" * (i * 7 % 3000)}
        text = signed(claims, good if i % 3 else b"another")
        for token in (text, text[:-3] + "AAA", text * 3, "x" * 8000, "eyJhbGciOiJub25lIn0.e30.", text.replace(".", "")):
            budget.hold(s, upgrade("/ws?token=" + token))
        if i % 40 == 39:
            budget.let_go()


class Attacked:
    def __init__(self, options, attacks, within, kernel=0):
        self.limit = int(budget.budget_mib(options) * MIB)
        self.rss = self.worst = self.sockets = self.peak = self.killed = self.over = 0
        self.why = []
        self.group, self.prefix = None, []
        try:
            self.group = Cgroup(self.limit + OVER + kernel)
            self.prefix = self.group.prefix
        except NotHere as e:
            within.append(str(e))
            self.prefix = ["prlimit", "--as=%d" % (self.limit + OVER)]
        try:
            with scene.binary("presenced.counting"):
                self.play(place.server(*options, prefix=self.prefix), attacks, options)
        finally:
            if self.group:
                self.group.close()

    def watch(self):
        """All along."""
        while not self.over:
            now, sockets = self.group.bytes()
            self.peak, self.sockets = max(self.peak, now), max(self.sockets, sockets)
            time.sleep(0.02)

    def play(self, s, attacks, options):
        watching = threading.Thread(target=self.watch, daemon=True)
        watching.start() if self.group else None
        try:
            self.attack(s, attacks, options)
        finally:
            self.over = 1
            watching.join() if self.group else None
            if s.process.poll() is None:
                s.process.kill()
                s.process.wait()

    def attack(self, s, attacks, options):
        trust = "--auth=jwt" not in options
        friends = [websocket(s, "/ws?dialect=roster&user_id=friend%d" % i) for i in range(4)] if trust else []
        for attack in attacks:
            try:
                attack(s)
            except (OSError, AssertionError) as e:
                self.why.append("%s: %s" % (attack.__name__, e))
            if s.process.poll() is not None:
                break
            self.worst = max([self.worst] + [budget.ping(f) for f in friends])
            self.rss = max(self.rss, place.memory(s.pid)["VmHWM"])
            scene.note("until %s: %s resident, %s charged, %s for sockets, slowest pong %.0f ms" % (
                attack.__name__, scene.mib(self.rss), scene.mib(self.peak), scene.mib(self.sockets), self.worst * 1e3))
            if attack in LET_GO:
                budget.let_go()
        budget.let_go()
        if self.group:
            self.killed = self.group.killed()
        for f in friends:
            f.close()
        ended = s.stop()
        self.why += [ended] if ended else []


def attacked():
    why_not, rows = [], []
    with tempfile.NamedTemporaryFile("wb") as secret:
        secret.write(b"a secret of the scorecard's own, long enough")
        secret.flush()
        os.chmod(secret.name, 0o644)
        jwt = ["--auth=jwt", "--jwt-secret-file=" + secret.name, "--max-connections=1200"]
        runs = [("%d attacks" % len(ATTACKS), Attacked(OPTIONS, ATTACKS, why_not)), ("tokens", Attacked(jwt, (tokens,), why_not))]
    how = "RLIMIT_AS (%s)" % why_not[0] if why_not else "cgroup v%d" % (2 if runs[0][1].group.v2 else 1)
    for what, a in runs:
        rows.append(Row("S7", "%s in a %s of the budget, %s, and 8 MiB: killed, or a malloc" % (what, how, scene.mib(a.limit)), "0",
                        "; ".join(a.why) or "0; clean exit, slowest pong of who was there %.0f ms" % (a.worst * 1e3), not a.why and not a.killed))
        rows.append(Row("S7", "%s: resident at most" % what, "%s: the budget and 4 MiB" % scene.mib(a.limit + RSS_OVER), scene.mib(a.rss),
                        a.rss <= a.limit + RSS_OVER))
        if a.group:
            rows.append(Row("S7", "%s: all that is charged, with the kernel's memory for its sockets" % what, scene.mib(a.limit + OVER),
                            "%s; sockets' at most %s" % (scene.mib(a.peak), scene.mib(a.sockets)), a.peak <= a.limit + OVER))
    if not why_not:
        a = Attacked(OPTIONS, (stuffed,), why_not, STUFFED * EACH)
        rows.append(Row("S7", "%d clients that send and never read: the kernel's memory for their sockets" % STUFFED, "%d KiB each" % (EACH >> 10),
                        "; ".join(a.why) or "%d KiB each, %s resident, slowest pong %.0f ms" % (
                            a.sockets // STUFFED >> 10, scene.mib(a.rss), a.worst * 1e3),
                        not a.why and not a.killed and a.sockets <= STUFFED * EACH))
    return rows


def measure():
    return scene.played("S7", "all attacks", "0 killed, inside the budget", attacked)

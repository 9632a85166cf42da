#!/usr/bin/python3
"""RELIABILITY D2: peers vanish without a word, one in silence and one while events are on their way to it. The server finds
out by its pings; the others hear of each once, after the debounce; nothing of the connections stays behind.

All this happens in network namespaces of this test's own, joined by a veth pair; they end with its processes."""
import asyncio, ctypes, errno, os, re, socket, stat, subprocess, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from client import Dotted, Snake
from server import Server
from tap import case, equal, has, run
from web import curl

HERE, THERE = "10.77.0.1", "10.77.0.2"
PING_S, SILENCE_S, DEBOUNCE_S = 1, 2, 0.5
PATIENCE_S = 20             # the machine is shared
USER_TIMEOUT_MS = 30000
TCP_USER_TIMEOUT = 18
PIDFD_OPEN, PIDFD_GETFD = 434, 438


def ip(words):
    subprocess.run(["ip"] + words.split(), check=True, stderr=subprocess.PIPE)


def isolated():
    """Runs this again in a network namespace of its own; says why not where that is not permitted."""
    how = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    make = "ip link set lo up && ip link add here type veth peer name there && ip addr add %s/24 dev here && " \
        "ip link set here up" % HERE
    try:
        tried = subprocess.run(how + ["sh", "-c", make], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
        why = tried.stderr.decode().strip().split("\n")[0] if tried.returncode else None
    except OSError as e:
        why = str(e)
    if why is not None:
        print("1..0 # SKIP no network namespace with a veth pair: " + (why or "refused"))
        sys.exit(0)
    again = [sys.executable, os.path.abspath(__file__), "--inside"] + sys.argv[1:]
    os.execvp("unshare", how + ["sh", "-c", make + ' && exec "$@"', "sh"] + again)


# --- the far side: vanished.py --far PORT, in its own namespace ---

async def read(client):
    while True:
        await client.next(PATIENCE_S)


async def far(port):
    """Says `ready`, waits for the link, connects, and takes the link down when told to."""
    print("ready", flush=True)
    sys.stdin.readline()
    ip("addr add %s/24 dev there" % THERE)
    ip("link set there up")
    url = "ws://%s:%d/ws?user_id=" % (HERE, port)
    idle, busy = await Dotted.connect(url + "idle"), await Dotted.connect(url + "busy")
    await idle.want(has(type="connected"))
    await busy.want(has(type="connected"))
    await busy.ask({"id": "s", "type": "subscribe", "payload": {"topics": ["typing"], "filters": {"conversation_id": "room"}}},
                   has(type="subscribed"))
    print("connected", flush=True)
    await busy.want(has(type="typing.start"), PATIENCE_S)
    reading = asyncio.ensure_future(read(busy))  # or its pings would not be answered
    await asyncio.to_thread(sys.stdin.readline)
    ip("link set there down")
    print("closed before" if reading.done() else "gone", flush=True)
    sys.stdin.readline()
    os._exit(0)


class Far:
    """That process, as seen from here."""

    def __init__(self, port):
        self.process = subprocess.Popen(["unshare", "-n", sys.executable, os.path.abspath(__file__), "--far", str(port)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.hear("ready")
        ip("link set there netns %d" % self.process.pid)

    def hear(self, word):
        equal(self.process.stdout.readline().decode().strip(), word, "what the far side says")

    def tell(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def end(self):
        self.process.kill()
        self.process.wait()


# --- this side ---

def metric(server, pattern):
    text = curl(server.http("/metrics")).body.decode()
    return int(re.search(r"(?m)^" + pattern + r" (\d+)$", text)[1])


def sockets(server):
    """The server's connections to the far side, as descriptors of ours; None where that is not permitted."""
    libc, found = ctypes.CDLL(None, use_errno=True), []
    pidfd = libc.syscall(PIDFD_OPEN, server.pid, 0)
    for name in os.listdir("/proc/%d/fd" % server.pid):
        fd = libc.syscall(PIDFD_GETFD, pidfd, int(name), 0)
        if fd < 0 and ctypes.get_errno() != errno.EBADF:  # that one was closed meanwhile
            found = None
            break
        if fd < 0 or not stat.S_ISSOCK(os.fstat(fd).st_mode):
            os.close(fd) if fd >= 0 else None
            continue
        s = socket.socket(fileno=fd)
        try:
            found += [s] if s.getpeername()[0] == THERE else []
        except OSError:
            pass  # it listens
    if pidfd >= 0:
        os.close(pidfd)
    return found


async def until(holds, what):
    limit = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < limit, what
        await asyncio.sleep(0.1)


def vanish(words):
    words.tell()
    words.hear("gone")
    return time.monotonic()


async def offline(watch, user):
    await watch.want(has(type="presence_update", payload__user_id=user, payload__online_status="offline"), PATIENCE_S)
    return time.monotonic()


@case("D2 peers vanish: each is offline once, not before silence and debounce are over; their connections are closed and freed")
async def vanished(_):
    options = ["--heartbeat-interval", "%ds" % PING_S, "--ping-period", "%ds" % PING_S, "--pong-wait", "%ds" % SILENCE_S,
               "--offline-debounce", "%dms" % (DEBOUNCE_S * 1000), "--presence-rate", "0", "--message-rate", "0",
               "--auth", "trust", "--listen", HERE + ":0"] + (["--user", "root"] if os.geteuid() == 0 else [])
    with Server(*options, listen=("",), listeners=2) as server:
        far_port, server.ports = server.ports[0], server.ports[::-1]  # ours is written behind it, on loopback
        far, stop = Far(far_port), asyncio.Event()
        try:
            async with await Snake.open(server, "watch") as watch, await Dotted.open(server, "speaker") as speaker:
                far.tell()
                await asyncio.to_thread(far.hear, "connected")
                await watch.sync()
                equal(metric(server, "ws_connections_active"), 4, "connections")
                timeouts = [s.getsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT) for s in sockets(server) or []]
                talk = asyncio.ensure_future(say(speaker, stop))
                await asyncio.sleep(SILENCE_S + PING_S)  # answered pings keep them
                await watch.quiet(has(payload__online_status="offline"))
                gone = await asyncio.to_thread(vanish, far)
                took = [await offline(watch, user) - gone for user in ("idle", "busy")]
                print("# offline %.1f s and %.1f s after they vanished; TCP_USER_TIMEOUT %r" % (*took, timeouts))
                assert min(took) >= SILENCE_S - PING_S + DEBOUNCE_S - 0.1, "too early: %r" % took
                assert timeouts in ([], [USER_TIMEOUT_MS] * 2), timeouts
                await until(lambda: metric(server, "ws_connections_active") == 2, "still counted")
                equal(metric(server, r'presenced_refused_total\{reason="silent"\}'), 2, "counted as silent")
                await until(lambda: not sockets(server), "a descriptor is still held")
                stop.set()
                await talk
                await speaker.sync()
                await watch.quiet(has(payload__online_status="offline"))
        finally:
            stop.set()
            far.end()


async def say(speaker, stop):
    """Something is always on its way to the busy one."""
    kinds, n = ("typing.start", "typing.stop"), 0
    while not stop.is_set():
        await speaker.send({"type": kinds[n % 2], "payload": {"conversation_id": "room"}})
        n += 1
        await asyncio.sleep(0.05)


if sys.argv[1:2] == ["--far"]:
    asyncio.run(far(int(sys.argv[2])))
elif sys.argv[1:2] == ["--inside"]:
    sys.argv[1:2] = []
    run(None, seconds=60)
else:
    isolated()

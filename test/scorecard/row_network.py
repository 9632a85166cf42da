"""S14: 500 ms of round trip and 5 % of all packets lost, both ways. No tc: netem is seldom in a machine's kernel. Server and clients are
in network namespaces of their own, each with a tun device, and this carries packets from one to the other, late or never."""
import asyncio, ctypes, fcntl, heapq, os, random, select, signal, struct, subprocess, time
import client
from lib import scene
from lib.row import Row
from checker import Truth, Watcher, check, now, settled
from server import Server

TITLE = "a slow network that loses"
DELAY_S, LOSS, SECONDS = 0.25, 0.05, 60 if scene.LONG else 15
HERE, THERE, PACKET_BYTES = "10.78.0.1", "10.78.0.2", 2048
USERS, DEBOUNCE_S = 100, 1
TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 1, 0x1000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


class NotHere(Exception):
    """Why it cannot be tried."""


def enter(pid):
    """This thread's new sockets are of that process's namespace."""
    fd = os.open("/proc/%d/ns/net" % pid, os.O_RDONLY)
    try:
        if libc.setns(fd, CLONE_NEWNET) != 0:
            raise NotHere("setns: " + os.strerror(ctypes.get_errno()))
    finally:
        os.close(fd)


def namespace():
    """A process that holds one, with loopback."""
    child = subprocess.Popen(["unshare", "-n", "sh", "-c", "ip link set lo up && echo up && exec sleep 600"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    if child.stdout.readline() != b"up\n":
        child.kill()
        raise NotHere("no network namespace: " + child.stderr.read().decode().strip())
    return child


def tun(pid, address):
    """The end of a device of that namespace."""
    enter(pid)
    try:
        fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH14x", b"far", IFF_TUN | IFF_NO_PI))
        for words in ("addr add %s/24 dev far" % address, "link set far up mtu 1500 txqueuelen 10000"):
            subprocess.run(["ip"] + words.split(), check=True, stderr=subprocess.PIPE)
    except (OSError, subprocess.CalledProcessError) as e:
        raise NotHere("no tun device: %s" % e)
    return fd


def carry(one, other):
    """A child's whole life: packets in the order of their time, some of them never."""
    chance, late, n = random.Random(14), [], 0
    to = {one: other, other: one}
    while True:
        left = late[0][0] - time.monotonic() if late else 1
        for fd in select.select([one, other], [], [], max(0, left))[0]:
            packet = os.read(fd, PACKET_BYTES)
            if chance.random() >= LOSS:
                n += 1
                heapq.heappush(late, (time.monotonic() + DELAY_S, n, to[fd], packet))
        while late and late[0][0] <= time.monotonic():
            _, _, fd, packet = heapq.heappop(late)
            try:
                os.write(fd, packet)
            except OSError:
                pass


class Far:
    """The server as it is seen from over there."""

    def __init__(self, port):
        self.port = port

    def url(self, path="/ws", listener=0):
        return "ws://%s:%d%s" % (HERE, self.port, path)


async def played(port):
    """Everybody over there, the watchers too."""
    truth, there = Truth(), Far(port)
    watchers = [await Watcher("watch-" + kind, kind).connect(there) for kind in ("dotted", "rooms")]

    async def come(name):
        for attempt in range(3):  # a lost SYN may take longer than the client's patience
            try:
                began = now()
                c = await client.Dotted.open(there, name)
                truth.came(name, began)
                return c
            except AssertionError:
                truth.undecided(name)
        raise AssertionError(name + " did not get in")
    users = dict(zip(["u%d" % i for i in range(USERS)], await asyncio.gather(*[come("u%d" % i) for i in range(USERS)])))
    began, n = now(), 0
    while now() - began < SECONDS:
        name = "u%d" % (n % USERS)
        truth.put(name, status=("busy", "dnd")[n // USERS % 2], custom=str(n))
        await users[name].send({"type": "presence.update", "payload": {"status": ("busy", "dnd")[n // USERS % 2], "custom_status": str(n)}})
        n += 1
        await asyncio.sleep(0.02)
    took = await settled(truth, [w.stream for w in watchers], 30)
    check(truth, [w.stream for w in watchers], DEBOUNCE_S)
    lost = [name for name, c in users.items() if not c.socket.open] + [w.user for w in watchers if w.lost]
    await asyncio.gather(*[c.close() for c in list(users.values()) + watchers], return_exceptions=True)
    return Row("S14", "%d ms of round trip, %.0f %% of packets lost, %d clients, %d s" % (DELAY_S * 2000, LOSS * 100, USERS, SECONDS),
               "0 clients lost, 0 false transitions", "%d lost, 0 false in 2 streams; %d changes, all shown %.1f s after the last" % (
                   len(lost), n, took), not lost)


def far_and_near(holders):
    holders += [namespace(), namespace()]
    ends = tun(holders[0].pid, HERE), tun(holders[1].pid, THERE)
    carrier = os.fork()
    if carrier == 0:
        carry(*ends)
    try:
        enter(holders[0].pid)
        user = ["--user", "root"] if os.geteuid() == 0 else []
        with Server("--auth", "trust", "--listen", HERE + ":0", "--offline-debounce", "%ds" % DEBOUNCE_S, "--presence-rate", "0", *user,
                    listen=(), listeners=1, prefix=scene.on_core_0()) as server:
            enter(holders[1].pid)
            return asyncio.run(played(server.ports[0]))
    finally:
        os.kill(carrier, signal.SIGKILL)
        os.waitpid(carrier, 0)


def measure():
    holders, own = [], os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        return scene.played("S14", "500 ms of round trip, 5 % of packets lost", "0 clients lost", far_and_near, holders)
    except NotHere as e:
        return [Row("S14", "500 ms of round trip, 5 % of packets lost", "0 clients lost, 0 false transitions", "not here: %s" % e, None)]
    finally:
        libc.setns(own, CLONE_NEWNET)
        os.close(own)
        for h in holders:
            h.kill()
            h.wait()

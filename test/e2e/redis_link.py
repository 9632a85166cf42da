#!/usr/bin/python3
"""cluster/redis live, on build/presenced.counting: whatever Redis, a Sentinel or somebody in their place does, the node allocates
nothing, its own clients do not notice, and it is connected again soon after. (Nodes among each other: cluster_faults.py.)"""
import asyncio, os, re, socket, sys, threading, time
HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["PRESENCED_BINARY"] = os.path.join(HERE, "../../build/presenced.counting")
sys.path[:0] = [os.path.join(HERE, "lib")]
from client import Rooms
from cluster import Cluster, Pulse
from redisd import Redis, Sentinel
from tap import case, equal, run

STALL = 0.1  # seconds that the slowest ping may take on a machine that others use too; the figure is printed


class Liar:
    """Accepts; says `first` to the first thing that is said to it, then `lie`, again and again for `repeat` times. `patient`: not
    before somebody subscribes, which it confirms."""

    def __init__(self, lie, first=b"+OK\r\n+PONG\r\n", repeat=1, pause=0, patient=False):
        self.lie, self.first, self.repeat, self.pause, self.patient, self.connections = lie, first, repeat, pause, patient, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "redis://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
        except OSError:
            pass

    def _serve(self, connection):
        with connection:
            try:
                connection.recv(4096)
                connection.sendall(self.first)
                while self.patient and (said := connection.recv(65536)):
                    for n, channel in re.findall(rb"SUBSCRIBE\r\n\$(\d+)\r\n([^\r]*)", said):
                        connection.sendall(b"*3\r\n$9\r\nsubscribe\r\n$%s\r\n%s\r\n:1\r\n" % (n, channel))
                    if b"presenced:nodes" in said and b"SUBSCRIBE" in said:
                        break
                for _ in range(self.repeat):
                    connection.sendall(self.lie)
                    time.sleep(self.pause)
                while connection.recv(65536):
                    pass
            except OSError:
                pass

    def close(self):
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


away = asyncio.to_thread


class Suite:
    """What tap.run() starts: nothing; every case has nodes of its own."""

    def __init__(self, *_, **__):
        pass

    def stop(self):
        return None


def attempts(node):
    return int(node.metric("presenced_redis_losses_total") + node.metric("presenced_redis_attempts"))


async def pulse(node, seconds, what):
    async with Pulse(node, "ann") as p:
        await asyncio.sleep(seconds)
    p.name = what
    p.report(STALL)


LIES = [
    ("nothing", b""), ("one answer too many", b"+OK\r\n"), ("an error", b"-ERR no\r\n"),
    ("R2 *1 x 100k", b"*1\r\n" * 100000), ("R2 *4294967295", b"*4294967295\r\n"),
    ("R1 %2^62", b"%4611686018427387904\r\n:1\r\n"), ("R2 $2147483648", b"$2147483648\r\n"), ("R2 $-2", b"$-2\r\n"),
    ("a subscription that nobody made", b"*3\r\n$9\r\nsubscribe\r\n$1\r\nz\r\n:1\r\n"),
    ("a message that is none", b"*3\r\n:1\r\n:1\r\n:1\r\n"), ("a push", b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n"),
    ("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n"), ("TLS", b"\x15\x03\x03\x00\x02\x02\x28"), ("random bytes", os.urandom(4096)),
]


@case("R1 R2 a false Redis, after a good greeting: refused, connected to again with pauses; clients served, memory flat")
async def lies(_):
    for name, lie in LIES:
        with Liar(lie) as liar:
            async with await Cluster.start(1, redis=liar, redis_options=["--redis-url", liar.url], wait=False) as c:
                await asyncio.sleep(0.3)
                before = c[0].rss_bytes()
                await pulse(c[0], 1.2, "a client, while Redis says %s," % name)
                grown = c[0].rss_bytes() - before
                assert grown < 1 << 20, "%s: %d bytes more" % (name, grown)
                assert liar.connections <= 40, "%s: %d connections in 1.5 s" % (name, liar.connections)
                assert not c[0].ready(), name


@case("R2 a false Redis that never ends: a flood of messages, of elements, a drip: clients served, memory flat")
async def floods(_):
    message = b"*3\r\n$7\r\nmessage\r\n$15\r\npresenced:nodes\r\n$2\r\n{}\r\n"
    nested = b"*1024\r\n" + b"$0\r\n\r\n" * 1024
    for name, lie in (("elements without end", nested * 100), ("messages without end", message * 2000),
                      ("half of a value of 1 MiB, a byte at a time", b"x")):
        first = b"+OK\r\n+PONG\r\n" + (b"$1048576\r\n" if lie == b"x" else b"")
        with Liar(lie, first, 1000000, 0.01 if lie == b"x" else 0, patient=lie[:2] == b"*3") as liar:
            async with await Cluster.start(1, redis=liar, redis_options=["--redis-url", liar.url], wait=False) as c:
                await asyncio.sleep(0.3)
                before = c[0].rss_bytes()
                await pulse(c[0], 2, "a client under %s" % name)
                assert c[0].rss_bytes() - before < 3 << 20, "%s: %d bytes more" % (name, c[0].rss_bytes() - before)


@case("R3 a TCP peer that accepts and says nothing: given up after 2 s, tried again")
async def mute(_):
    with Liar(b"", b"") as liar:
        async with await Cluster.start(1, redis=liar, redis_options=["--redis-url", liar.url], wait=False) as c:
            await pulse(c[0], 6, "a client beside a Redis that is mute")
            assert 2 <= liar.connections <= 8, "%d connections in 6 s" % liar.connections


@case("5 a unix socket; CLIENT KILL, SIGSTOP and a restart: connected again, nothing allocated")
async def returns(_):
    with Redis(unix=True) as redis:
        async with await Cluster.start(1, redis=redis, redis_options=["--redis-url", "unix://" + redis.socket]) as c:
            async with Pulse(c[0], "ann") as p:
                for what in ("pubsub", "normal"):
                    await away(redis.command, "CLIENT", "KILL", "TYPE", what)
                    await asyncio.sleep(0.3)
                    print("# CLIENT KILL TYPE %s: ready again after %.2f s" % (what, 0.3 + await away(c[0].wait_ready)))
                redis.stop()
                print("# SIGSTOP: not ready after %.2f s" % await away(c[0].wait_ready, False))
                await asyncio.sleep(3)
                redis.cont()
                took = await away(c[0].wait_ready)
                print("# SIGCONT: ready after %.2f s" % took)
                redis.kill()
                await away(c[0].wait_ready, False)
                await asyncio.sleep(4)
                await away(redis.start)
                took = max(took, await away(c[0].wait_ready))
                print("# restart: ready after %.2f s" % took)
                assert took < 5.5, "ready %.2f s after its return" % took
            p.report(2)


@case("R10 OOM is told and lived with; READONLY is left, and come back to")
async def refuses(_):
    with Redis() as redis:
        async with await Cluster.start(1, redis=redis, redis_options=["--redis-url", redis.url]) as c:
            await away(redis.command, "CONFIG", "SET", "maxmemory", "1")
            async with await Rooms.open(c[0], "ann"):
                await asyncio.sleep(1)
            assert c[0].metric("presenced_redis_refused_total") > 0
            equal(int(c[0].metric("presenced_redis_losses_total")), 0, "losses under OOM")
            await away(redis.command, "CONFIG", "SET", "maxmemory", "0")
            await away(redis.command, "REPLICAOF", "127.0.0.1", "1")
            await away(c[0].wait_ready, False, 15)
            await away(redis.command, "REPLICAOF", "NO", "ONE")
            await away(c[0].wait_ready)
            lines = [l for l in c[0].server.lines if l and "Redis refused" in l]
            assert 1 <= len(lines) <= 12, lines


@case("5 Sentinel: one that is dead and one that knows no such master come first; failover followed; a replica is not taken for a master")
async def sentinels(_):
    with Redis(password="s3cret") as master, Redis(password="s3cret", replica_of=master) as replica:
        with Sentinel(master) as sentinel, Sentinel(master, "other") as other:
            sentinel.wait_replicas()
            url = "redis+sentinel://:s3cret@127.0.0.1:1,127.0.0.1:%d,localhost:%d/%s/2" % (other.port, sentinel.port, sentinel.name)
            async with await Cluster.start(1, redis=master, redis_options=["--redis-url", url]) as c:
                async with Pulse(c[0], "ann") as p:
                    start = time.monotonic()
                    master.stop()
                    sentinel_done = asyncio.to_thread(sentinel.wait_failover, master.port)
                    await sentinel_done
                    moved = time.monotonic()
                    limit = moved + 10
                    while not replica.command("PUBSUB", "CHANNELS", "presenced:nodes") or not c[0].ready():
                        assert time.monotonic() < limit, c[0].server.log()[-3000:]
                        await asyncio.sleep(0.05)
                    print("# the master stopped; Sentinel moved after %.2f s, the node %.2f s later" % (
                        moved - start, time.monotonic() - moved))
                    master.kill()
                p.report(STALL)
                assert "s3cret" not in c[0].server.log()


@case("R4 a name that has no address, and one that nobody answers for: clients served, tried again")
async def names(_):
    for host in ("no.such.name.invalid", "redis.example"):
        async with await Cluster.start(1, redis_options=["--redis-url", "redis://%s" % host], wait=False) as c:
            await pulse(c[0], 2, "a client, while %s is looked for," % host)
            assert not c[0].ready()
            assert attempts(c[0]) >= 1 or host == "redis.example", c[0].server.log()


@case("5 rediss: SIGSTOP, a kill and a restart under TLS; nothing allocated")
async def tls(_):
    with Redis(tls=True) as redis:
        async with await Cluster.start(1, redis=redis, redis_options=["--redis-url", redis.address(host="localhost"), "--ca-file", redis.ca]) as c:
            async with Pulse(c[0], "ann") as p:
                await away(redis.command, "CLIENT", "KILL", "TYPE", "normal")
                await asyncio.sleep(0.5)
                await away(c[0].wait_ready)
                await asyncio.to_thread(redis.restart)
                await asyncio.sleep(0.5)
                await away(c[0].wait_ready)
                await asyncio.sleep(1)
            p.report(2)


run(Suite(), seconds=90)

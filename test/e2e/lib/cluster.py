"""Several presenced on one Redis, each of which may be killed, stopped, drained and started again under its name."""
import asyncio, concurrent.futures, itertools, os, re, signal, time
from client import Rooms
from redisd import Redis
from server import Server
from web import curl


class Node:
    """One presenced; .server is the running one, .was those that ran before under the same node id, and whether
    they were killed."""

    def __init__(self, cluster, name, options):
        self.cluster, self.name, self.options = cluster, name, options
        self.server, self.was, self.killed = None, [], False

    def start(self, *more):
        options = ["--node-id", self.name, *self.cluster.redis_options, *self.options, *more]
        if self.server:
            self.was.append((self.server, self.killed))
        self.server, self.killed = Server(*options, listen=self.cluster.listen, prefix=self.cluster.prefix(self.name)), False
        return self

    pid = property(lambda self: self.server.pid)

    def url(self, path="/ws", listener=0):
        return self.server.url(path, listener)

    def http(self, path="/", listener=0):
        return self.server.http(path, listener)

    @property
    def ports(self):
        return self.server.ports

    def get(self, path, **options):
        """The JSON of an answer that is 200."""
        got = curl(self.http(path), **options)
        assert got.status == 200, "%s of %s: %r" % (path, self.name, got)
        return got.json

    def ready(self):
        return curl(self.http("/ready")).status == 200

    def wait_ready(self, wanted=True, seconds=10):
        """Seconds until /ready says so."""
        start = time.monotonic()
        while self.ready() != wanted:
            if time.monotonic() - start > seconds:
                raise AssertionError("%s: /ready is %r after %d s; the log:\n%s" % (
                    self.name, curl(self.http("/ready")), seconds, self.server.log()[-3000:]))
            time.sleep(0.03)
        return time.monotonic() - start

    def wait_nodes(self, count, seconds=10):
        start = time.monotonic()
        while True:
            got = self.get("/admin/stats", method="GET")["nodes"]
            if got == count:
                return
            assert time.monotonic() - start < seconds, "%s knows of %r nodes, not %d" % (self.name, got, count)
            time.sleep(0.05)

    def kill(self):
        """kill -9"""
        assert self.server.process.poll() is None, "%s had ended before it was killed: %s" % (self.name, self.server.ended())
        self.server.process.kill()
        self.server.process.wait()
        self.killed = True

    def stop(self):
        self.server.process.send_signal(signal.SIGSTOP)

    def cont(self):
        self.server.process.send_signal(signal.SIGCONT)

    def terminate(self):
        self.server.terminate()

    def restart(self, *more):
        """Starts it under the same node id; what ran before must have ended."""
        assert self.server.process.poll() is not None, self.name + " still runs"
        return self.start(*more)

    def rss_bytes(self):
        with open("/proc/%d/statm" % self.pid) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def metric(self, name):
        """The sum of all lines of that name; None: there is none."""
        text = curl(self.http("/metrics")).body.decode()
        got = [float(line.split()[-1]) for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name]
        return sum(got) if got else None

    def end(self):
        """None, or what was wrong with how it ended, or one that ran before; of those that were killed only the log counts."""
        why = [self._end(*one) for one in self.was + [(self.server, self.killed)] if one[0]]
        return "\n".join("%s: %s" % (self.name, w) for w in why if w) or None

    def _end(self, server, killed):
        if not killed:
            server.process.send_signal(signal.SIGCONT)
        if self.cluster.forgive:  # lines that are an error, and what a case is about
            with server.changed:
                server.lines[:] = [l for l in server.lines if l is None or not re.search(self.cluster.forgive, l)]
        return server.dirt() if killed else server.stop()


# All nodes are one process without a Redis: what a case wants of a cluster must then hold too. For whoever writes cases.
ALONE = os.environ.get("PRESENCED_E2E_ALONE")


class Cluster:
    """`count` nodes named a, b, c, ... on a Redis of their own, or on the one given; a listener of each is an admin's (0).
    `prefix`: a command that runs a node, or a function that gives it for a name."""

    def __init__(self, count, *options, redis=None, redis_options=None, listen=("admin",), wait=True, each=None,
                 forgive=None, prefix=()):
        self.forgive, self.prefix = forgive, prefix if callable(prefix) else lambda name: prefix
        self.own, self.listen = redis is None and redis_options is None, listen
        self.redis = Redis() if self.own else redis
        self.redis_options = redis_options if redis_options is not None else ["--redis-url", self.redis.url]
        self.nodes = [Node(self, "abcdefghijklmnop"[i], list(options) + list(each(i) if each else [])) for i in range(count)]
        if ALONE:
            self.redis_options, self.nodes = [], self.nodes[:1] * count
        try:
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                list(pool.map(Node.start, self.nodes[:1] if ALONE else self.nodes))
            if wait:
                self.wait_ready()
        except BaseException:
            self.close()
            raise

    def __getitem__(self, i):
        return self.nodes[i]

    def __iter__(self):
        return iter(self.nodes)

    def __len__(self):
        return len(self.nodes)

    def wait_ready(self, wanted=True, seconds=15):
        """All say so, and (if ready) all know of each other; the longest time that one took."""
        start = time.monotonic()
        for node in self.nodes:
            node.wait_ready(wanted, max(0.1, start + seconds - time.monotonic()))
        if wanted and not ALONE:
            for node in self.nodes:
                node.wait_nodes(len(self.nodes), seconds)
        return time.monotonic() - start

    def close(self):
        """None, or what was wrong with how the nodes ended."""
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            why = [w for w in pool.map(Node.end, self.nodes[:1] if ALONE else self.nodes) if w]
        if self.own:
            self.redis.close()
        return "\n".join(why) or None

    stop = close  # of lib/tap.py's run()

    @classmethod
    async def start(cls, *args, **options):
        """Without holding up the loop; `async with` ends it so too."""
        return await asyncio.to_thread(cls, *args, **options)

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, *_):
        why = await asyncio.to_thread(self.close)
        assert kind or why is None, why


class Spread:
    """A cluster as one server: whoever asks for an address gets the next node's."""
    delay = 0.1  # seconds, for what is known on one node to have come to all

    def __init__(self, cluster):
        self.turn = itertools.cycle(cluster.nodes)

    def url(self, path="/ws", listener=0):
        return next(self.turn).url(path, listener)

    def http(self, path="/", listener=0):
        return next(self.turn).http(path, listener)


class Pulse:
    """A client of a node that pings all the time: does it answer, and how soon? .times: seconds, each round trip."""

    def __init__(self, node, name, every=0.02):
        self.node, self.name, self.every, self.times, self.task, self.why, self.asked = node, name, every, [], None, None, None

    async def __aenter__(self):
        self.client = await Rooms.open(self.node, self.name)
        self.task = asyncio.create_task(self._beat())
        return self

    async def _beat(self):
        try:
            while True:
                self.asked = time.monotonic()
                await self.client.sync()
                self.times.append(time.monotonic() - self.asked)
                self.asked = None
                self.client.skipped.clear()
                await asyncio.sleep(self.every)
        except Exception as e:
            self.why = str(e) or repr(e)

    def report(self, worst=1.0):
        """Fails if the node closed the client or stalled grossly; prints the rest."""
        assert self.why is None, "%s: the client at %s: %s" % (self.name, self.node.name, self.why)
        assert self.times, "no ping was answered"
        times = sorted(self.times + [time.monotonic() - self.asked] if self.asked else self.times)  # one may still be waited for
        print("# %s at %s: %d pings, p50 %.2f ms, p99 %.2f ms, worst %.2f ms" % (
            self.name, self.node.name, len(times), times[len(times) // 2] * 1e3, times[int(len(times) * 0.99)] * 1e3, times[-1] * 1e3))
        assert times[-1] < worst, "%s stalled for %.2f s" % (self.node.name, times[-1])

    async def __aexit__(self, *_):
        self.task.cancel()
        await self.client.close()

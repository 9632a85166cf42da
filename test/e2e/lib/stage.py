"""Nodes on a Redis, users on them, watchers on all of them, and the truth: what a case about faults is played on."""
import asyncio, time
from checker import Truth, Watcher, check, settled
from client import Dotted
from cluster import Cluster, Pulse


class User:
    """One connection of a user: of dotted, subscribed to nothing, so that it costs nothing."""

    def __init__(self, stage, name, node, device):
        self.stage, self.name, self.node, self.device, self.client, self.there = stage, name, node, device, None, False

    async def connect(self, node=None):
        self.node = node or self.node
        began = time.monotonic()
        self.client = await self.stage.open_client(self.node, self.name, self.device)
        self.stage.truth.came(self.name, began)
        self.there = True
        return self

    async def set(self, status, custom=None):
        self.stage.truth.put(self.name, status=status, custom=custom)
        await self.client.send({"type": "presence.update", "payload": {"status": status, "custom_status": custom}})

    def lost(self, at=None):
        """Its node went, or is not heard of: for the others that is an end like any other."""
        if self.there:
            self.stage.truth.went(self.name, at)
        self.there = False

    async def leave(self):
        self.lost()
        await self.client.drop()


class Stage:
    def __init__(self, count, *options, debounce=0.5, kinds=("dotted", "rooms"), pulses=True, open_client=Dotted.open,
                 **cluster):
        self.count, self.options, self.debounce, self.kinds = count, options, debounce, kinds
        self.cluster_options, self.with_pulses, self.open_client = cluster, pulses, open_client
        self.truth, self.users, self.watchers, self.pulses, self.c = Truth(), [], {}, [], None
        self.changed = 0  # by churn

    async def __aenter__(self):
        self.c = await Cluster.start(self.count, "--offline-debounce", "%dms" % (self.debounce * 1000), *self.options,
                                     **self.cluster_options)
        try:
            for i, node in enumerate(self.c):
                self.watchers[i] = [await Watcher("watch-%s-%s" % (kind, node.name), kind).connect(node) for kind in self.kinds]
                if self.with_pulses:
                    self.pulses.append(Pulse(node, "pulse-" + node.name))
                    await self.pulses[-1].__aenter__()
        except BaseException:
            await asyncio.to_thread(self.c.close)
            raise
        return self

    def __getitem__(self, i):
        return self.c[i]

    @property
    def redis(self):
        return self.c.redis

    async def join(self, name, node, device=None):
        user = await User(self, name, self.c[node], device or "d").connect()
        self.users.append(user)
        return user

    async def crowd(self, name, node, count):
        out = []
        for i in range(0, count, 50):
            out += await asyncio.gather(*[self.join("%s-%d" % (name, j), node) for j in range(i, min(i + 50, count))])
        return out

    async def churn(self, users, seconds, rate=1000):
        """So many changes a second, of each of them who is there in turn; how many they were."""
        start, n, there = time.monotonic(), 0, [u for u in users if u.there]
        while time.monotonic() - start < seconds:
            while n < (time.monotonic() - start) * rate:
                n, self.changed = n + 1, self.changed + 1
                await there[self.changed % len(there)].set(("busy", "dnd")[self.changed // len(there) % 2], str(self.changed))
            await asyncio.sleep(0.005)
        return n

    def on(self, node):
        """Connections of users to that node."""
        return [u for u in self.users if u.there and u.node is self.c[node]]

    def streams(self, *nodes):
        return [w.stream for i, of in self.watchers.items() if not nodes or i in nodes for w in of]

    async def verify(self, seconds, *nodes, users=None, truth=None, last=True):
        """Watchers (of these nodes) come to show the truth within so many seconds, and have shown nothing else; the seconds it took."""
        truth = truth or self.truth
        took = await settled(truth, self.streams(*nodes), seconds, users) if last else 0
        check(truth, self.streams(*nodes), self.debounce, last=last, users=users)
        return took

    async def quiet(self, seconds, *nodes, users=None):
        """In this time no watcher is shown anything of these users."""
        before = {s.name: len(s.events) for s in self.streams(*nodes)}
        await asyncio.sleep(seconds)
        users = set(self.truth.spans) if users is None else users
        for s in self.streams(*nodes):
            new = [(e.user, e.state) for e in s.events[before[s.name]:] if e.user is None or e.user in users]
            assert not new, "%s was shown %r" % (s.name, new[:5])

    def all_there(self, *nodes):
        """No client (of these nodes) was closed."""
        closed = [u.name for u in self.users if u.there and not u.client.socket.open and (not nodes or self.c.nodes.index(u.node) in nodes)]
        closed += [w.user for i, of in self.watchers.items() if not nodes or i in nodes for w in of if w.lost]
        assert not closed, "closed: %r" % closed[:10]

    def pulse(self, *nodes, worst=1.0):
        for i, p in enumerate(self.pulses):
            if not nodes or i in nodes:
                p.report(worst)

    async def ready(self, wanted, *nodes, seconds=8):
        """Until /ready of these says so; the longest that one took."""
        return max(await asyncio.gather(*[asyncio.to_thread(self.c[i].wait_ready, wanted, seconds)
                                          for i in (nodes or range(len(self.c)))]))

    async def __aexit__(self, kind, *_):
        for p in self.pulses:
            p.task.cancel()
        everybody = [p.client for p in self.pulses] + [u.client for u in self.users] + [w for of in self.watchers.values() for w in of]
        await asyncio.gather(*[e.close() for e in everybody], return_exceptions=True)
        why = await asyncio.to_thread(self.c.close)
        assert kind or why is None, why

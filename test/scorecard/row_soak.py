"""S16: three nodes, users who come and go all the time, and a nemesis that does something to a node or to Redis every few seconds. Every
watcher's stream is replayed against the truth at each checkpoint. SOAK_MINUTES says for how long; SOAK_SEED repeats the order of faults."""
import asyncio, heapq, itertools, os, random, time
import websockets
from checker import now
from lib import place, scene
from lib.row import Row

TITLE = "soak"
SECONDS = float(os.environ.get("SOAK_MINUTES") or (24 * 60 if scene.LONG else 1)) * 60
USERS, CHURN, CHANGES, CHECK_S, DEBOUNCE_S, AWAY_S = 2000, 100, 50, 25, 3, 8
RSS_MAX = 8 << 20
UNREACHED = (OSError, AssertionError, asyncio.TimeoutError, websockets.WebSocketException)
OPTIONS = ("--presence-rate", "0", "--message-rate", "0", "--client-buffer", "8192", "--client-buffer-bytes", "4m")


class Soak:
    def __init__(self, stage, seed):
        self.s, self.chance, self.up = stage, random.Random(seed), {0, 1, 2}
        self.coming, self.order, self.busy = [], itertools.count(), set()  # (when, n, user); those being connected
        self.churning = self.faulting = False
        self.opened, self.churned, self.faults, self.n, self.hurt = 0, 0, {}, 0, False

    # --- users ---

    async def come(self, user):
        """Where they were; a node that is not there makes them go elsewhere."""
        node = self.s.c.nodes.index(user.node)
        try:
            while True:
                if node not in self.up:
                    node = self.chance.choice(sorted(self.up))
                try:
                    await user.connect(self.s[node])
                    self.opened += 1
                    return
                except UNREACHED:
                    await asyncio.sleep(0.1)
        finally:
            self.busy.discard(user)

    def later(self, user, seconds):
        heapq.heappush(self.coming, (now() + seconds, next(self.order), user))

    async def churn(self):
        """So many leave a second, for some seconds; changes too."""
        began, gone, changed, last = now(), 0, 0, now()
        while True:
            self.churned, last = self.churned + self.churning * (now() - last), now()
            if not self.churning:
                began, gone, changed = now(), 0, 0
            while self.churning and gone < (now() - began) * CHURN:
                gone += 1
                user = self.chance.choice(self.s.users)
                if user.there and user not in self.busy:
                    await user.leave()
                    self.later(user, self.chance.random() ** 2 * AWAY_S)
            while self.churning and changed < (now() - began) * CHANGES:
                changed += 1
                await self.change(self.chance.choice(self.s.users))
            while self.coming and self.coming[0][0] <= now():
                user = heapq.heappop(self.coming)[2]
                self.busy.add(user)
                asyncio.create_task(self.come(user))
            await asyncio.sleep(0.005)

    async def change(self, user):
        if user.there and user not in self.busy:
            self.n += 1
            await user.set(("busy", "dnd")[self.n % 2], str(self.n))

    async def rewatch(self):
        while True:
            await asyncio.sleep(0.05)
            for of in self.s.watchers.values():
                for w in of:
                    if w.lost:
                        try:
                            await w.connect(self.s[self.chance.choice(sorted(self.up))])
                        except UNREACHED:
                            pass

    # --- faults, one after the other ---

    async def redis_killed(self):
        await asyncio.to_thread(self.s.redis.kill)
        await asyncio.sleep(self.chance.uniform(0.5, 4))
        await asyncio.to_thread(self.s.redis.start)

    async def redis_stopped(self):
        """It takes a node 2 s to find that it hears nothing; who was heard to leave just before, and comes back unheard in these, is
        shown offline. So nobody leaves just before."""
        self.churning = False
        await asyncio.sleep(DEBOUNCE_S + 0.5)
        self.s.redis.stop()
        self.churning = self.faulting
        await asyncio.sleep(self.chance.uniform(0.5, 4))
        self.s.redis.cont()

    async def redis_told(self):
        words = self.chance.choice((("FLUSHALL",), ("CLIENT", "KILL", "TYPE", "pubsub"), ("CLIENT", "KILL", "TYPE", "normal")))
        await asyncio.to_thread(self.s.redis.command, *words)

    async def node_stopped(self):
        node = self.s[self.chance.randrange(3)]
        node.stop()
        await asyncio.sleep(self.chance.uniform(0.5, 2))
        node.cont()

    def lose(self, n):
        for user in self.s.on(n):
            user.lost()
            self.later(user, self.chance.uniform(0, DEBOUNCE_S * 0.6))

    async def node_killed(self):
        n = self.chance.randrange(3)
        self.up.discard(n)
        for user in self.s.users:
            if user.node is self.s[n]:
                self.s.truth.undecided(user.name)  # what was set last may be lost with it
        self.lose(n)
        await asyncio.to_thread(self.s[n].kill)
        await asyncio.sleep(0.3)
        self.lose(n)  # those who were just getting in
        await asyncio.sleep(self.chance.uniform(0.2, 3))
        await asyncio.to_thread(self.s[n].restart)
        self.up.add(n)

    async def nemesis(self):
        kinds = [self.redis_killed, self.redis_stopped, self.redis_told, self.node_stopped, self.node_killed]
        turn = []
        while True:
            await asyncio.sleep(self.chance.uniform(2, 4))
            if not self.faulting:
                continue
            turn = turn or self.chance.sample(kinds, len(kinds))  # each once before any twice
            fault = turn.pop()
            self.faults[fault.__name__] = self.faults.get(fault.__name__, 0) + 1
            scene.note("%s: %s" % (time.strftime("%H:%M:%S"), fault.__name__))
            self.hurt = True
            await fault()
            await self.s.ready(True, seconds=20)
            self.hurt = False

    # --- looking ---

    async def settle(self):
        """Nothing is done to anybody, and everybody is there, and has said what they are."""
        self.churning = self.faulting = False
        limit = now() + 60
        while self.hurt or self.coming or self.busy:
            assert now() < limit, "%d users did not get in" % (len(self.coming) + len(self.busy))
            await asyncio.sleep(0.1)
        for i, user in enumerate(self.s.users):
            await self.change(user)
            if i % 20 == 0:
                await asyncio.sleep(0.02)

    async def check(self):
        """The first thing that is wrong is raised; then all is begun anew, or it would grow."""
        took = await self.s.verify(30)
        self.s.all_there()
        truth = self.s.truth
        truth.spans = {u: [span for span in spans if span[2] is None] for u, spans in truth.spans.items()}
        truth.states = {u: states[-1:] for u, states in truth.states.items()}
        truth.loose = set()
        for stream in self.s.streams():
            known = {u: state for u, state in stream.now.items() if state}
            stream.events.clear()
            stream.snapshot(known)
        return took


def sizes(s):
    return [(n.pid, place.rss_bytes(n.pid), place.fds(n.pid)) for n in s.c]


async def soaked(seed):
    async with scene.nodes(3, *OPTIONS, debounce=DEBOUNCE_S, pulses=False, kinds=("dotted",)) as s:
        bare = sizes(s)
        soak = Soak(s, seed)
        await asyncio.gather(*[s.crowd("abc"[n], n, USERS // 3) for n in range(3)])
        await s.verify(30)
        tasks = [asyncio.create_task(t) for t in (soak.churn(), soak.rewatch(), soak.nemesis())]
        began, settled, first, last, drift = now(), [], None, None, 0
        try:
            while now() - began < SECONDS:
                soak.churning = soak.faulting = True
                await asyncio.sleep(min(CHECK_S, max(1, began + SECONDS - now())))
                await soak.settle()
                settled.append(await soak.check())
                for t in tasks:
                    if t.done():
                        t.result()
                last = {pid: rss for pid, rss, _ in sizes(s)}
                first = {**last, **(first or {})}  # of each process when it was looked at for the first time
                drift = max([drift] + [last[pid] - first[pid] for pid in last])
                scene.note("%.0f s: all shown after %.1f s; drift %s" % (now() - began, settled[-1], scene.mib(drift)))
            for t in tasks:
                t.cancel()
            await asyncio.gather(*[u.leave() for u in s.users if u.there])
            await s.verify(DEBOUNCE_S + 10)
            watching = {i: sum(w.client is not None for w in of) for i, of in s.watchers.items()}
            left = max(fds for _, _, fds in sizes(s)) - max(fds for _, _, fds in bare) - (sum(watching.values()) - 1)
            done = ", ".join("%d %s" % (v, k) for k, v in sorted(soak.faults.items()))
            what = "soak %d s, %d users, %.0f connections a second; %s: " % (now() - began, USERS, soak.opened / soak.churned, done)
            return [Row("S16", what + "invariant breaks", "0", "0 at %d checkpoints; all shown after %.1f s at most (seed %d)" % (
                        len(settled), max(settled), seed), True),
                    Row("S16", "the same: memory of a node, from checkpoint to checkpoint", "less than %s more" % scene.mib(RSS_MAX),
                        "%s more at most" % scene.mib(drift), drift <= RSS_MAX),
                    Row("S16", "the same: descriptors when all have left", "as before they came", "%+d" % max(left, 0), left <= 0)]
        finally:
            for t in tasks:
                t.cancel()


def measure():
    seed = int(os.environ.get("SOAK_SEED") or time.time())
    return scene.played("S16", "soak %d s (SOAK_SEED=%d)" % (SECONDS, seed), "0 invariant breaks", soaked, seed)

#!/usr/bin/python3
"""The cluster at size, for a release: three nodes, 1,000 users each on real sockets, every watcher's stream replayed. Minutes, so no
part of `make test`. `cluster_large.py 200`: so many users a node."""
import asyncio, os, random, sys
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib")]
import resource
import websockets
from checker import now
from light import Light
from stage import Stage
from tap import case, equal, run

EACH = int(sys.argv.pop(1)) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 1000
LEASE, RETURN = 6, 15
UNREACHED = (OSError, AssertionError, asyncio.TimeoutError, websockets.WebSocketException)
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, EACH * 4 + 500)), hard))


def note(text):
    print("# " + text)
    sys.stdout.flush()


def memory(stage):
    return [n.rss_bytes() for n in stage.c]


def grown(before, after, most=16 << 20):
    note("memory of the nodes: " + ", ".join("%+d KiB" % ((a - b) // 1024) for a, b in zip(after, before)))
    assert all(a - b < most for a, b in zip(after, before)), "grew by more than %d MiB" % (most >> 20)


async def stage_of(debounce=2):
    s = Stage(3, debounce=debounce, kinds=("dotted",), open_client=Light.open_at)
    await s.__aenter__()
    start = now()
    await asyncio.gather(*[s.crowd("abc"[n], n, EACH) for n in range(3)])
    connected = now() - start
    took = await s.verify(60)
    note("%d users connected in %.1f s; all shown on all nodes %.1f s later" % (3 * EACH, connected, took))
    return s


def played(debounce=2):
    def keep(function):
        async def check(_):
            s = await stage_of(debounce)
            try:
                await function(s)
            except BaseException:
                await s.__aexit__(AssertionError)
                raise
            await s.__aexit__(None)
        return check
    return keep


@case("R12 60 s of outage under 1,000 changes a second: memory flat, nobody closed, all agree within 5 s of return")
@played()
async def outage(s):
    n = await s.churn(s.users, 5)
    note("5 s with Redis, %d changes: agreed after %.1f s" % (n, await s.verify(30)))
    before = memory(s)
    await asyncio.to_thread(s.redis.kill)
    n = await s.churn(s.users, 60)
    during = memory(s)
    await asyncio.to_thread(s.redis.start)
    note("60 s without Redis, %d changes: agreed %.1f s after its return" % (n, await s.verify(RETURN)))
    grown(before, during)
    await s.ready(True)
    s.all_there()
    s.pulse(worst=5)  # thousands of clients in one python: it is that which stalls


@case("P5 R14 kill -9 of a node, and SIGSTOP of another for 20 s, under changes: ghosts gone, nobody else shown offline")
@played()
async def died(s):
    for u in s.on(2):
        u.lost()
    await asyncio.to_thread(s[2].kill)
    start = now()
    await s.churn(s.on(0) + s.on(1), 3, 300)
    await s.verify(LEASE + s.debounce + 10, 0, 1)
    note("kill -9: %d ghosts gone after %.1f s" % (EACH, now() - start))
    s.all_there(0, 1)
    await asyncio.to_thread(s[2].restart)
    back = [u for u in s.users if u.node is s[2]]
    for i in range(0, len(back), 50):
        await asyncio.gather(*[u.connect(s[2]) for u in back[i:i + 50]])
    note("back under its id: agreed after %.1f s" % await s.verify(30, 0, 1))
    theirs = s.on(1)
    for u in theirs:
        u.lost()
    s[1].stop()
    await s.churn(s.on(0), 20, 100)
    await s.verify(5, 0)
    began = now()
    s[1].cont()
    for u in theirs:
        s.truth.came(u.name, began)
        u.there = True
    note("SIGSTOP for 20 s: agreed %.1f s after SIGCONT" % await s.verify(RETURN, 0))
    await s.ready(True)
    s.all_there(0, 1)
    s.pulse(0, worst=5)


@case("R10 5 FLUSHALL, connections killed and Redis stopped for 20 s, among changes")
@played()
async def shaken(s):
    for words in (("FLUSHALL",), ("CLIENT", "KILL", "TYPE", "pubsub"), ("CLIENT", "KILL", "TYPE", "normal")):
        await s.churn(s.users, 2, 500)
        await asyncio.to_thread(s.redis.command, *words)
        await s.churn(s.users, 2, 500)
        note("%s: agreed after %.1f s" % (" ".join(words), await s.verify(RETURN)))
    s.redis.stop()
    await s.churn(s.users, 20, 500)
    s.redis.cont()
    note("SIGSTOP of Redis for 20 s: agreed after %.1f s" % await s.verify(RETURN))
    await s.ready(True)
    s.all_there()
    s.pulse(worst=5)  # thousands of clients in one python: it is that which stalls


@case("5 P1 a rolling restart: every client goes on elsewhere, nobody sees a flicker")
@played(debounce=10)
async def rolling(s):
    up = {0, 1, 2}
    for p in s.pulses:
        p.task.cancel()

    async def again(connect):
        while True:
            try:
                return await connect(s[random.choice(sorted(up))])
            except UNREACHED:
                await asyncio.sleep(0.05 + random.random() / 5)

    async def roam(user):
        while True:
            await user.client.ended.wait()
            user.lost()
            await again(user.connect)

    async def rewatch(watcher):
        while True:
            await asyncio.sleep(0.05)
            if watcher.lost:
                await again(watcher.connect)

    tasks = [asyncio.create_task(roam(u)) for u in s.users]
    tasks += [asyncio.create_task(rewatch(w)) for of in s.watchers.values() for w in of]
    start = now()
    try:
        for n in range(3):
            up.discard(n)
            s[n].terminate()
            why = await asyncio.to_thread(s[n].server.ended, 30)
            assert why is None, why
            await asyncio.to_thread(s[n].restart)
            await s.ready(True, n)
            up.add(n)
        note("three nodes restarted in %.1f s" % (now() - start))
        await s.verify(40)
        await s.quiet(s.debounce + 1)
        s.all_there()
        for n in s.c:
            got = [p["device_count"] for i in range(0, 3 * EACH, 1000)
                   for p in n.get("/api/v1/presence/bulk", data={"user_ids": [u.name for u in s.users][i:i + 1000]})["presences"]]
            equal(set(got), {1}, "device counts at " + n.name)
    finally:
        for t in tasks:
            t.cancel()


run(None, seconds=400)

"""S10: Redis fails over with writes lost, forgets everything, drops a subscription, hangs; the nodes agree soon, and /ready says
how it is. Every watcher's stream is replayed against the truth."""
import asyncio
from checker import now
from lib import scene
from lib.row import Row
from redisd import Redis, Sentinel

TITLE = "Redis fails over, forgets, hangs"
EACH, CONVERGED_S, READY_S, PAUSE_S, LOST_S = 100, 15, 5, 20, 2
turn = [0]


async def changes(s, seconds, rate=200):
    """Everybody changes, some leave, some come."""
    start, n, there = now(), 0, [u for u in s.users if u.there]
    turn[0] += 1
    while now() - start < seconds:
        while n < (now() - start) * rate:
            await there[n % len(there)].set(("busy", "dnd")[(n // len(there) + turn[0]) % 2], "%d.%d" % (turn[0], n))
            n += 1
        await asyncio.sleep(0.005)
    for u in there[turn[0]::31][:5]:
        await u.leave()
    for i in range(s.count):
        await s.join("new-%d-%d" % (turn[0], i), i)


async def agree(s, what, bound_ready, down=None):
    """All agree, and stay so; one row. `down`: seconds until /ready said that it is not."""
    began = now()
    took = await s.verify(CONVERGED_S + 10)
    await s.ready(True, seconds=20)
    ready = now() - began
    await s.quiet(2)
    s.all_there()
    names = [u.name for u in s.users]
    for node in s.c:  # REST says the same everywhere
        for i in range(0, len(names), 500):
            for p in node.get("/api/v1/presence/bulk", data={"user_ids": names[i:i + 500]})["presences"]:
                assert p["is_online"] == s.truth.connected(p["user_id"]), "%s says of %s: %r" % (node.name, p["user_id"], p)
    good = took <= CONVERGED_S and ready <= max(READY_S, took + 1) and (down is None or down <= READY_S)
    return Row("S10", "%s, 3 nodes, %d users: all nodes show the truth, and /ready says so" % (what, len(names)), bound_ready,
               "%.1f s; /ready 200 after %.1f s%s" % (took, ready, "" if down is None else ", 503 after %.1f s" % down), good)


async def shaken():
    rows, at_once = [], "%d s" % CONVERGED_S
    both = "%d s; /ready 503 and 200 within %d s" % (CONVERGED_S, READY_S)
    async with scene.nodes(3, debounce=2, pulses=False) as s:
        for n in range(3):
            await s.crowd("abc"[n], n, EACH)
        await s.verify(20)
        for words in (("FLUSHALL",), ("CLIENT", "KILL", "TYPE", "pubsub")):
            await changes(s, 1)
            await asyncio.to_thread(s.redis.command, *words)
            await changes(s, 1)
            rows.append(await agree(s, " ".join(words) + " among changes", at_once))
        s.redis.stop()
        began = now()
        down = await s.ready(False, seconds=12)
        await changes(s, PAUSE_S - (now() - began), 50)
        s.redis.cont()
        rows.append(await agree(s, "Redis stopped for %d s" % PAUSE_S, both, down))
    return rows


def differ(one, other):
    """So many keys of users are not there, or other ones."""
    names = one.keys("presence:*")
    return sum(a != b for a, b in zip(one.command("MGET", *names), other.command("MGET", *names)))


async def failed_over():
    """The replica is made a master of its own 2 s before the other dies: what was written meanwhile is lost."""
    with Redis() as master, Redis(replica_of=master) as replica, Sentinel(master) as sentinel:
        await asyncio.to_thread(sentinel.wait_replicas)
        async with scene.nodes(3, debounce=2, pulses=False, redis=replica, redis_options=["--redis-url", sentinel.url]) as s:
            for n in range(3):
                await s.crowd("abc"[n], n, EACH)
            await s.verify(20)
            await asyncio.to_thread(replica.command, "REPLICAOF", "NO", "ONE")
            await changes(s, LOST_S)
            lost = await asyncio.to_thread(differ, master, replica)
            await asyncio.to_thread(master.kill)
            began = now()
            down = await s.ready(False)
            await changes(s, 1)
            await asyncio.to_thread(sentinel.wait_failover, master.port)
            scene.note("failover after %.1f s, %d keys of users lost or older" % (now() - began, lost))
            assert lost > len(s.users) / 2, "of what was written only %d keys were lost" % lost
            return [await agree(s, "Redis fails over, %d s of writes lost" % LOST_S,
                                "%d s; /ready 503 and 200 within %d s" % (CONVERGED_S, READY_S), down)]


def measure():
    return scene.played("S10", "FLUSHALL, subscriber killed, Redis stopped", "converged in 15 s", shaken) + \
        scene.played("S10", "Redis fails over", "converged in 15 s", failed_over)

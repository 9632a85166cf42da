"""S9: Redis is away. Local service is measured in turn with and without it; 1,000 changes a second go on meanwhile."""
import asyncio, os
from checker import now
from lib import scene
from lib.row import Row

TITLE = "Redis away"
AWAY_S = 60 if scene.LONG else 10
USERS = int(os.environ.get("SCORECARD_USERS", "9999"))
RETURN_S, TURNS, STRETCHES = 5, 3 if scene.LONG else 1, 3
OPTIONS = ("--message-rate", "0", "--presence-rate", "0", "--max-connections", "5000")
GROWTH_MAX = 4 << 20


async def stretch(s, seconds=1.5):
    return [await scene.p99_ms(s[0], seconds) for _ in range(STRETCHES)]


async def comings(s, turn):
    """Who leaves, and who comes, while it is away."""
    for u in [u for u in s.users if u.there][turn::97][:60]:
        await u.leave()
    for n in range(3):
        await s.crowd("new%d%s" % (turn, "abc"[n]), n, 20)


async def away():
    async with scene.nodes(3, *OPTIONS, debounce=2, pulses=False, kinds=("dotted",)) as s:
        began = now()
        await asyncio.gather(*[s.crowd("abc"[n], n, USERS // 3) for n in range(3)])
        connected = now() - began
        scene.note("%d users came in %.1f s, known on all nodes %.1f s later" % (len(s.users), connected, await s.verify(60)))
        await s.churn(s.users, 4)
        await s.verify(20)
        with_it, without, back, grown, sent = [], [], [], 0, 0
        for turn in range(TURNS):
            with_it += await stretch(s)
            before = [n.rss_bytes() for n in s.c]
            await asyncio.to_thread(s.redis.kill)
            gone = now()
            await s.ready(False)
            without += await stretch(s)
            await comings(s, turn)
            sent += await s.churn(s.users, max(2, AWAY_S - (now() - gone)))
            grown = max([grown] + [n.rss_bytes() - b for n, b in zip(s.c, before)])
            await asyncio.to_thread(s.redis.start)
            scene.note("away for %.0f s" % (now() - gone))
            back.append(await s.verify(RETURN_S + 15))
            await s.ready(True)
        with_it += await stretch(s)
        closed = sum(1 for u in s.users if u.there and not u.client.open) + sum(1 for of in s.watchers.values() for w in of if w.lost)
        quiet, silent, now_there = scene.middle(with_it), scene.middle(without), sum(u.there for u in s.users)
        what = "Redis away %d s, %d times, 3 nodes, %d users, 1,000 changes a second: " % (AWAY_S, TURNS, now_there)
        return [Row("S9", what + "clients closed", "0", "%d" % closed, closed == 0),
                Row("S9", what + "p99 of events at one node", "1.10 of with Redis", "%.2f of it: %.3f ms of %.3f ms, medians of %d and %d" % (
                    silent / quiet, silent, quiet, len(without), len(with_it)), silent <= 1.1 * quiet),
                Row("S9", what + "memory of a node", "flat: less than %s more" % scene.mib(GROWTH_MAX),
                    "%s more at most, %d changes meanwhile" % (scene.mib(grown), sent), grown <= GROWTH_MAX),
                Row("S9", what + "all nodes show the truth after its return", "%d s" % RETURN_S,
                    "%s s" % ", ".join("%.1f" % b for b in back), max(back) <= RETURN_S)]


def measure():
    return scene.played("S9", "Redis away %d s" % AWAY_S, "nobody closed, nothing slower, memory flat", away)

"""S8: kill -9 of one of three nodes; every watcher's stream is replayed against the truth."""
import asyncio
from checker import now
from lib import scene
from lib.row import Row

TITLE = "kill -9 of one of three nodes"
EACH, BOTH, GHOSTS_S = 400, 100, 15


async def killed():
    async with scene.nodes(3, debounce=5, pulses=False) as s:  # the debounce that is the default
        for n in range(3):
            await s.crowd("abc"[n], n, EACH)
        both = [[await s.join("both-%d" % i, n, "d%d" % n) for n in (1, 2)] for i in range(BOTH)]
        await s.verify(20)
        for pair in both[::3]:
            await pair[1].set("busy", "said at the node that dies")
        await s.verify(10)
        for user in s.on(2):
            user.lost()
        await asyncio.to_thread(s[2].kill)
        began = now()
        await s.verify(GHOSTS_S + 15, 0, 1)  # raises at the first false offline
        took = now() - began
        await s.quiet(3, 0, 1)
        s.all_there(0, 1)
        left = [p["device_count"] for p in s[0].get("/api/v1/presence/bulk", data={"user_ids": [
            "c-%d" % i for i in range(EACH)]})["presences"]]
        rows = [Row("S8", "kill -9 of 1 of 3 nodes, %d users each: ghosts gone" % EACH, "15 s with the default debounce of 5 s",
                    "%.1f s; %d of its devices left" % (took, sum(left)), took <= GHOSTS_S and not sum(left)),
                Row("S8", "false offline of %d who are elsewhere, %d of them there too" % (2 * EACH + BOTH, BOTH), "0",
                    "0 in %d streams, quiet for 3 s after" % len(s.streams(0, 1)), True)]
        await asyncio.to_thread(s[2].restart)
        return rows


def measure():
    return scene.played("S8", "kill -9 of 1 of 3 nodes", "ghosts gone in 15 s, nobody else offline", killed)

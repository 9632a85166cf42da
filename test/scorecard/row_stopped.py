"""S14: the process is stopped for 30 s, longer than clients may be silent; what they sent meanwhile lies in its sockets."""
import asyncio, random
from checker import now
from lib import scene
from lib.row import Row

TITLE = "SIGSTOP"
STOP_S, USERS, SILENT = 30, 600, 200
OPTIONS = ("--heartbeat-interval", "5s", "--ping-period", "5s", "--pong-wait", "10s", "--stale-timeout", "15s", "--presence-rate", "0",
           "--client-buffer", "2048")  # all that waited is told at once: more than the default holds for a watcher of everybody


async def stopped():
    async with scene.alone(*OPTIONS, debounce=2, pulses=False) as s:
        talkers, silent = await s.crowd("talks", 0, USERS), await s.crowd("silent", 0, SILENT)
        await s.verify(20)
        began, chance = now(), random.Random(14)
        s[0].stop()
        for u in chance.sample(talkers, USERS):
            await u.set(("busy", "dnd")[chance.randrange(2)], "meanwhile")
            await asyncio.sleep((STOP_S - 1) / USERS)
        await asyncio.sleep(max(0, began + STOP_S - now()))
        s[0].cont()
        back = now()
        await s.verify(10, users={u.name for u in talkers})  # raises at a false transition
        took = now() - back
        await asyncio.sleep(3)
        await s.verify(5, users={u.name for u in talkers})
        lost, quiet = [sum(not u.client.open for u in of) for of in (talkers, silent)]
        watchers = sum(1 for of in s.watchers.values() for w in of if w.lost)
        return Row("S14", "SIGSTOP %d s, silence closes after 10 s: clients lost whose bytes were queued, and transitions of theirs" % STOP_S, "0",
                   "%d of %d, all of theirs shown %.2f s after SIGCONT; of %d who sent nothing %d, of %d watchers %d" % (
                       lost, USERS, took, SILENT, quiet, len(s.watchers[0]), watchers), lost == 0 and watchers == 0)


def measure():
    return scene.played("S14", "SIGSTOP %d s" % STOP_S, "0 clients lost whose bytes were queued", stopped)

"""S14: the wall clock steps by a day, here and on one node only; tokens are judged by it. build/presenced.clock has a wall clock
that this sets, and is the same otherwise."""
import asyncio, mmap, os, struct, tempfile, time
from lib import place, scene
from lib.row import Row
from secure import signed
from server import Raw, Server, masked, upgrade

TITLE = "clock steps"
DAY, SECRET = 86400, b"a secret of the scorecard's own, long enough"
USERS = 150


class Clocks:
    """A wall clock for each node."""

    def __init__(self):
        self.directory, self.maps = tempfile.TemporaryDirectory(), {}
        os.chmod(self.directory.name, 0o755)

    def within(self, name):
        path = os.path.join(self.directory.name, name)
        if name not in self.maps:
            with open(path, "w+b") as f:
                f.write(bytes(8))
                f.flush()
                self.maps[name] = mmap.mmap(f.fileno(), 8)
        return ["env", "CLOCK_AHEAD_FILE=" + path]

    def step(self, name, seconds):
        self.maps[name][:8] = struct.pack("=q", seconds)


async def stepped():
    clocks = Clocks()
    steps = [("a", DAY, "a day ahead"), ("b", -DAY, "a day back"), ("a", -DAY, "a day back"), ("b", DAY, "a day ahead"), ("b", 0, "right"),
             ("a", -int(time.time()), "1970"), ("a", 0, "right")]
    async with scene.nodes(2, "--presence-rate", "0", debounce=1, pulses=False, within=clocks.within,
                           kinds=("dotted", "snake", "rooms")) as s:
        for n in range(2):
            await s.crowd("ab"[n], n, USERS)
        await s.verify(20)
        for i, (name, seconds, what) in enumerate(steps):
            clocks.step(name, seconds)
            await s.quiet(1)  # no event of a step
            there = [u for u in s.users if u.there]
            for u in there[i::5]:
                await u.set(("busy", "dnd")[i % 2], str(i))
            for u in there[i::60]:
                await u.leave()
            await s.join("new-%d" % i, i % 2)
            await s.verify(10)  # last_seen never goes back, on any node
            s.all_there()
        return Row("S14", "wall clock of one of two nodes: %s" % ", ".join("%s %s" % (n, w) for n, _, w in steps),
                   "0 false transitions, 0 closed, last_seen never back",
                   "0, 0 of %d users; %d streams replayed" % (len(s.users), len(s.streams())), True)


def asks(server, token):
    """What the upgrade with it is answered."""
    with Raw(server.port, upgrade("/ws?token=" + token)) as raw:
        return raw.head()[0]


def tokens():
    clocks, now = Clocks(), int(time.time())
    with tempfile.NamedTemporaryFile("wb") as secret:
        secret.write(SECRET)
        secret.flush()
        os.chmod(secret.name, 0o644)
        with Server("--auth=jwt", "--jwt-secret-file", secret.name, prefix=scene.on_core_0() + clocks.within("a")) as server:
            def token(**claims):
                return signed({"sub": "u", "iat": now - 2 * DAY, **claims}, SECRET)
            hour, days = token(exp=now + 3600), token(exp=now + 2 * DAY)
            later = token(exp=now + 3 * DAY, nbf=now + DAY - 3600)
            there = Raw(server.port, upgrade("/ws?token=" + hour))
            assert there.head()[0] == 101, "a good token was refused"
            seen = []
            for ahead, wanted in ((0, [101, 101, 401]), (DAY, [401, 101, 101]), (-DAY, [101, 101, 401]), (0, [101, 101, 401])):
                clocks.step("a", ahead)
                seen.append(([asks(server, t) for t in (hour, days, later)], wanted))
            there.send(masked(1, b'{"type":"ping"}'))
            there.until(lambda got: b'"pong"' in got)
            there.close()
    good = all(got == wanted for got, wanted in seen)
    return Row("S14", "tokens (exp in 1 h; in 2 days; nbf in 23 h) at +0, +1, -1, +0 days", "judged by the wall clock; who was let in stays",
               "%s; stayed" % ", ".join("/".join(map(str, got)) for got, _ in seen), good)


def measure():
    with scene.binary("presenced.clock"):
        return scene.played("S14", "wall clock steps", "0 false transitions", stepped) + \
            scene.played("S14", "tokens under clock steps", "judged by the wall clock", tokens)

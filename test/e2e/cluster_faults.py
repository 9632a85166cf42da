#!/usr/bin/python3
"""RELIABILITY H and J, live: nodes that die, stop and start anew; Redis that hangs, goes, forgets, refuses and lies. Every watcher's
stream is replayed against the truth (lib/checker.py); local service is measured all the while. Limits are generous, figures printed."""
import asyncio, json, os, random, sys
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "lib")]
import websockets
from checker import Truth, now
from client import Dotted
from light import Light
from redisd import Redis, Sentinel
from stage import Stage
from tap import case, equal, has, run
from web import curl

UNREACHED = (OSError, AssertionError, asyncio.TimeoutError, websockets.WebSocketException)
LEASE = 6         # three beats of 2 s
RETURN = 10       # for all to have converged after a return: CONTRACT aims at 5
ROUNDS = int(os.environ.get("PRESENCED_E2E_LONG", "1"))  # makes the waits longer


def note(text):
    print("# " + text)
    sys.stdout.flush()


async def background(function, *args, **named):
    return await asyncio.to_thread(function, *args, **named)


def command(stage, *words):
    return asyncio.to_thread(stage.redis.command, *words)


async def seen_everywhere(stage, seconds=8):
    await stage.verify(seconds)


def devices(node, users):
    got = node.get("/api/v1/presence/bulk", data={"user_ids": users})["presences"]
    return {p["user_id"]: p["device_count"] for p in got}


# --- nodes ---

@case("P5 5 R13 kill -9 of a node: its users offline once within 3 beats and the debounce, who is on two nodes stays; it comes back under its id")
async def kill(_):
    async with Stage(3) as s:
        await s.crowd("a", 0, 5)
        theirs = await s.crowd("c", 2, 10)
        both = [[await s.join("both-%d" % i, n, "d%d" % n) for n in (1, 2)] for i in range(5)]
        await theirs[0].set("dnd", "deep")
        await seen_everywhere(s)
        for pair in both:
            await pair[1].set("busy", "said at the node that dies")
        caller, callee = await Dotted.open(s[0], "caller"), await Dotted.open(s[2], "callee")
        await asyncio.sleep(0.5)
        await caller.send({"id": "1", "type": "call.offer", "payload": {"call_id": "k", "target_user_id": "callee", "sdp": "v=0"}})
        await callee.want(has(type="call.incoming"))
        await callee.send({"id": "2", "type": "call.answer", "payload": {"call_id": "k", "sdp": "v=0"}})
        await caller.want(has(type="call.answer"))
        await seen_everywhere(s)
        for user in s.on(2):
            user.lost()
        await background(s[2].kill)
        took = await s.verify(LEASE + s.debounce + 6, 0, 1)
        note("kill -9: the last ghost gone after %.1f s" % took)
        assert took <= LEASE + s.debounce + 3, "%.1f s" % took
        await caller.want(has(type="call.ended", payload__call_id="k"), 5)
        equal(await background(devices, s[0], ["c-1", "both-1"]), {"c-1": 0, "both-1": 1})
        s.all_there(0, 1)
        await background(s[2].restart)
        for user in theirs[:5]:
            await user.connect(s[2])
        s.truth.put("c-0", status="dnd", custom="deep")  # what was set stays
        took = await s.verify(8, 0, 1)
        await s.quiet(3, 0, 1)
        equal(await background(devices, s[1], ["c-0", "c-9", "both-1"]), {"c-0": 1, "c-9": 0, "both-1": 1})
        equal(s[1].get("/c-0"), has(online_status="dnd", custom_status="deep"))
        await background(s[0].wait_nodes, 3)
        s.pulse(0, 1)
        await caller.close()


@case("R13 P1 a node killed and at once started again under its id: who comes back at once never was offline, who does not is no ghost")
async def reborn(_):
    async with Stage(3, debounce=2) as s:
        await s.crowd("a", 0, 3)
        theirs = await s.crowd("c", 2, 10)
        await seen_everywhere(s)
        for user in theirs:
            user.lost()
        await background(s[2].kill)
        await background(s[2].restart)
        for user in theirs[:5]:
            await user.connect(s[2])
        took = await s.verify(LEASE + s.debounce + 6, 0, 1)
        note("killed and started again: settled after %.1f s" % took)
        await s.quiet(2, 0, 1)
        equal(await background(devices, s[0], ["c-%d" % i for i in range(10)]), {"c-%d" % i: int(i < 5) for i in range(10)})


@case("R14 a node that stops for 2 s: nothing; for longer than its lease: its users offline, then online, once; it sees what it missed, and no more")
async def paused(_):
    async with Stage(3) as s:
        ours, theirs = await s.crowd("a", 0, 6), await s.crowd("c", 2, 6)
        await theirs[1].set("busy", "before")
        await seen_everywhere(s)
        s[2].stop()
        await s.quiet(2, 0, 1)
        s[2].cont()
        await s.quiet(1.5)
        s.pulse(0, 1)
        here = Truth()  # as it is for who is connected to c: its own users never were away
        here.start, here.spans, here.states = s.truth.start, {u: [list(x) for x in v] for u, v in s.truth.spans.items()}, s.truth.states
        stopped = now()
        for user in theirs:
            user.lost()
        s[2].stop()
        await asyncio.sleep(1)
        await ours[0].leave()
        here.went("a-0")
        await ours[1].set("dnd", "meanwhile")
        took = await s.verify(LEASE + s.debounce + 6, 0, 1)
        note("SIGSTOP: offline elsewhere after %.1f s" % (took + 1))
        await asyncio.sleep(max(0, stopped + 8 * ROUNDS - now()))
        began = now()
        s[2].cont()
        for user in theirs:
            s.truth.came(user.name, began)
            user.there = True
        s.truth.put("c-1", status="busy", custom="before")
        took = await s.verify(RETURN, 0, 1)
        note("SIGCONT: online elsewhere after %.1f s" % took)
        took = await s.verify(RETURN, 2, truth=here)
        note("SIGCONT: it had caught up after %.1f s" % (now() - began))
        await s.quiet(2.5)
        s.all_there()
        await s.ready(True)


@case("P5 D3 a node of 800 users stops and goes on: to watchers that read it is no flood that closes them, neither going nor coming")
async def many(_):
    async with Stage(2, kinds=("dotted",), open_client=Light.open_at, pulses=False) as s:
        theirs = await s.crowd("b", 1, 800)
        await s.verify(15)
        for user in theirs:
            user.lost()
        s[1].stop()
        took = await s.verify(LEASE + s.debounce + 8, 0)
        note("800 users offline elsewhere after %.1f s" % took)
        s.all_there(0)
        began = now()
        s[1].cont()
        for user in theirs:
            s.truth.came(user.name, began)
            user.there = True
        note("800 users online elsewhere after %.1f s" % await s.verify(RETURN, 0))
        await s.quiet(1, 0)
        s.all_there()


@case("5 P1 a rolling restart of three nodes: clients and watchers go on elsewhere, nobody sees a flicker, nothing is left behind")
async def rolling(_):
    async with Stage(3, debounce=4, pulses=False) as s:
        up = {0, 1, 2}

        async def roam(user):
            while True:
                try:
                    await user.client.next(3600)
                except AssertionError:
                    user.lost()
                    for attempt in range(50):
                        try:
                            await user.connect(s[random.choice(sorted(up))])
                            break
                        except UNREACHED:
                            await asyncio.sleep(0.05)

        async def rewatch(watcher):
            while True:
                await asyncio.sleep(0.02)
                if watcher.lost:
                    try:
                        await watcher.connect(s[random.choice(sorted(up))])
                    except UNREACHED:
                        pass

        users = [u for n in range(3) for u in await s.crowd("abc"[n], n, 15)]
        for user in users[::5]:
            await user.set("busy", "since before")
        await seen_everywhere(s)
        for of in s.watchers.values():
            del of[1:]  # a rooms client that connects anew is told nothing of who is there
        tasks = [asyncio.create_task(roam(u)) for u in users]
        tasks += [asyncio.create_task(rewatch(w)) for of in s.watchers.values() for w in of]
        try:
            start = now()
            for n in range(3):
                up.discard(n)
                s[n].terminate()
                why = await background(s[n].server.ended)
                assert why is None, why
                await background(s[n].restart)
                await s.ready(True, n)
                up.add(n)
                await asyncio.sleep(0.3)
                await users[n].set("dnd", "after %d" % n)
            note("three nodes restarted in %.1f s" % (now() - start))
            await s.verify(RETURN)
            await s.quiet(s.debounce + 1)
            s.all_there()
            for u in users[::4]:
                got = s[1].get("/api/v1/presence/%s/devices" % u.name)["devices"]
                equal(len(got), 1, "connections of %s: %r" % (u.name, got))
            for n in range(3):
                equal(s[n].get("/admin/stats")["nodes"], 3)
        finally:
            for t in tasks:
                t.cancel()


@case("R15 one node is cut off from Redis: it freezes what it knows, the others let its users go after the lease; healed, they agree")
async def split(_):
    with Redis(acl=["user rest on >x ~* &* +@all", "user third on >x ~* &* +@all"]) as redis:
        async with Stage(3, redis=redis, each=lambda i: ["--redis-url", redis.address("third" if i == 2 else "rest", "x")],
                         redis_options=[]) as s:
            ours, theirs = await s.crowd("a", 0, 4), await s.crowd("c", 2, 4)
            await seen_everywhere(s)
            here = Truth()  # for who is connected to c
            here.start, here.spans, here.states = s.truth.start, {u: [list(x) for x in v] for u, v in s.truth.spans.items()}, s.truth.states
            for user in theirs:
                user.lost()
            await command(s, "ACL", "SETUSER", "third", "off")
            await command(s, "CLIENT", "KILL", "USER", "third")
            note("cut off: /ready said so after %.1f s" % await s.ready(False, 2))
            await ours[0].leave()
            here.went("a-0")
            await ours[1].set("busy", "meanwhile")
            await theirs[1].set("dnd", "meanwhile too")
            took = await s.verify(LEASE + s.debounce + 6, 0, 1)
            note("cut off: its users were offline elsewhere after %.1f s" % took)
            check_last = [e for w in s.watchers[2] for e in w.stream.events if e.user == "a-0"][-1].state
            assert check_last["status"] != "offline", "it showed somebody offline that it could not know of"
            equal(await background(lambda: (s[0].ready(), s[2].ready())), (True, False), "/ready of a and c")
            began = now()
            await command(s, "ACL", "SETUSER", "third", "on")
            for user in theirs:
                s.truth.came(user.name, began)
                user.there = True
            took = max(await s.verify(RETURN + 5, 0, 1), await s.verify(RETURN + 5, 2, truth=here))
            note("healed: converged after %.1f s" % (now() - began))
            await s.ready(True)
            s.all_there()
            s.pulse()


# --- Redis hangs, goes, forgets ---

async def meanwhile(s, ours, theirs):
    """What happens while Redis is not there: seen by who is at the same node at once; by the others later."""
    await ours[0].leave()
    await ours[1].set("busy", "meanwhile")
    await theirs[1].set("dnd", "meanwhile")
    await s.join("new-a", 0)
    await s.join("new-b", 1)
    await asyncio.sleep(s.debounce + 1.5)
    for i, name in ((0, "a-1"), (0, "new-a"), (1, "b-1"), (1, "new-b")):
        for w in s.watchers[i]:
            assert [e for e in w.stream.events if e.user == name and e.state.get("status") in ("busy", "dnd", "online")], \
                "%s was not shown what %s, at the same node, did" % (w.stream.name, name)
    for w in s.watchers[0]:
        assert [e for e in w.stream.events if e.user == "a-0"][-1].state["status"] == "offline", "a-0 left, at its own node"
    for w in s.watchers[1]:
        assert not [e for e in w.stream.events if e.user in ("a-0",) and e.state.get("status") == "offline"], "offline, without a Redis"


@case("R3 R8 5 Redis stops answering (SIGSTOP): /ready says so within 5 s, local service goes on, nobody goes offline, all agree after its return")
async def redis_stopped(_):
    async with Stage(2) as s:
        ours, theirs = await s.crowd("a", 0, 5), await s.crowd("b", 1, 5)
        await seen_everywhere(s)
        s.redis.stop()
        try:
            took = await s.ready(False)
            note("SIGSTOP of Redis: /ready 503 after %.1f s" % took)
            assert took < 7, "%.1f s" % took
            equal(curl(s[0].http("/ready")).json, has(status="unavailable"))
            await meanwhile(s, ours, theirs)
            await asyncio.sleep(LEASE * ROUNDS)
        finally:
            s.redis.cont()
        note("SIGCONT of Redis: converged after %.1f s" % await s.verify(RETURN))
        note("SIGCONT of Redis: /ready 200 %.1f s after that" % await s.ready(True))
        await s.quiet(2.5)
        s.all_there()
        s.pulse()


@case("R10 R11 Redis is killed, away for some seconds, and comes back empty: the same; the keys of seed 002 are written anew")
async def redis_restarted(_):
    async with Stage(2) as s:
        ours, theirs = await s.crowd("a", 0, 5), await s.crowd("b", 1, 5)
        await seen_everywhere(s)
        await background(s.redis.kill)
        took = await s.ready(False)
        note("kill of Redis: /ready 503 after %.1f s" % took)
        await meanwhile(s, ours, theirs)
        await asyncio.sleep(2 * ROUNDS)
        await background(s.redis.start)
        note("Redis started: converged after %.1f s" % await s.verify(RETURN))
        note("Redis started: /ready 200 %.1f s after that" % await s.ready(True))
        await s.quiet(2.5)
        s.all_there()
        s.pulse()
        await keys_of(s, {"a-1": "busy", "a-2": "online", "b-1": "dnd", "new-b": "online"})


async def keys_of(s, wanted, seconds=8):
    limit = now() + seconds
    while True:
        texts = {u: await command(s, "GET", "presence:" + u) for u in wanted}
        got = {u: json.loads(t)["status"] if t else None for u, t in texts.items()}
        if got == wanted:
            return
        assert now() < limit, "the keys of seed 002 say %r, not %r" % (got, wanted)
        await asyncio.sleep(0.1)


@case("R11 FLUSHALL: all is written anew within a beat or two, and no watcher notices")
async def flushed(_):
    async with Stage(2, pulses=False) as s:
        await s.crowd("a", 0, 30)
        ours = await s.crowd("b", 1, 3)
        await ours[0].set("busy")
        await seen_everywhere(s)
        await asyncio.sleep(1)
        before = await background(s.redis.keys)
        start = now()
        await command(s, "FLUSHALL")
        await keys_of(s, {"a-0": "online", "a-29": "online", "b-0": "busy"})
        while set(await background(s.redis.keys)) != set(before):
            assert now() < start + 10, "not there again: %r" % (set(before) - set(await background(s.redis.keys)))
            await asyncio.sleep(0.1)
        note("FLUSHALL: %d keys written anew after %.1f s" % (len(before), now() - start))
        await s.quiet(2)
        await ours[1].set("away")
        await s.verify(5)
        s.all_there()


@case("R7 CLIENT KILL TYPE pubsub, and TYPE normal, again and again among changes: nothing lost, nothing doubled")
async def connections_killed(_):
    async with Stage(2) as s:
        users = await s.crowd("a", 0, 6) + await s.crowd("b", 1, 6)
        await seen_everywhere(s)
        for i in range(6):
            for j, user in enumerate(users[1:]):
                if j == 5:
                    await command(s, "CLIENT", "KILL", "TYPE", ("pubsub", "normal")[i % 2])
                await user.set(("busy", "dnd")[i % 2], "%d" % i)
            if i == 2:
                await users[0].leave()
            await asyncio.sleep(0.7)
        note("CLIENT KILL: converged after %.1f s" % await s.verify(RETURN))
        await s.ready(True)
        await s.quiet(1)
        s.all_there()
        s.pulse()


@case("R8 deaf, and not aware of it: the right to the channels is taken away; /ready says so within 5 s; given back, all agree")
async def deaf(_):
    async with Stage(2) as s:
        users = await s.crowd("a", 0, 3) + await s.crowd("b", 1, 3)
        await seen_everywhere(s)
        await command(s, "ACL", "SETUSER", "default", "resetchannels")
        took = await s.ready(False)
        note("no right to channels: /ready 503 after %.1f s" % took)
        await users[1].set("busy", "unheard")
        await users[4].leave()
        await asyncio.sleep(LEASE + 1)
        for w in s.watchers[0]:
            assert not [e for e in w.stream.events if e.user == "b-1" and e.state.get("status") == "offline"], "offline, being deaf"
        await command(s, "ACL", "SETUSER", "default", "allchannels")
        note("given back: converged after %.1f s" % await s.verify(RETURN + 5))
        await s.ready(True)
        s.all_there()
        s.pulse()


@case("R14 P1 a node that was stopped hears who came back meanwhile before it believes that they are gone")
async def came_back(_):
    async with Stage(2, pulses=False) as s:
        users = await s.crowd("a", 0, 4)
        await seen_everywhere(s)
        for turn, late in enumerate((0.02, 0.1, 0.3, 0.6)):
            for user in users:
                await user.leave()
            gone = now()
            await asyncio.sleep(0.1)
            s[1].stop()
            await asyncio.sleep(0.1)
            for user in users:
                await user.connect()
            await asyncio.sleep(gone + s.debounce + late - now())
            s[1].cont()
            await asyncio.sleep(0.2)
            await s.verify(RETURN)


@case("R7 a subscriber over its output limit is cut off by Redis: resubscribed, and told what it missed")
async def over_limit(_):
    async with Stage(2, pulses=False) as s:
        users = await s.crowd("a", 0, 5)
        await seen_everywhere(s)
        await command(s, "CONFIG", "SET", "client-output-buffer-limit", "pubsub 64kb 64kb 1")
        s[1].stop()
        for i in range(60):
            await command(s, "PUBLISH", "presence:updates", "x" * 250000)
        await users[0].leave()
        for user in users[1:]:
            await user.set("busy", "missed")
        await asyncio.sleep(s.debounce + 1)
        s[1].cont()
        note("over the output limit: converged after %.1f s" % await s.verify(RETURN))
        await s.ready(True)
        s.all_there()


@case("R12 Redis away under 1,000 changes a second: memory flat, no client closed, all agree after its return")
async def outage(_):
    async with Stage(2, kinds=("dotted",)) as s:
        users = await s.crowd("a", 0, 40) + await s.crowd("b", 1, 40)
        await seen_everywhere(s)
        sent = 0

        async def changes(seconds):
            nonlocal sent
            start, n = now(), 0
            while now() - start < seconds:
                while n < (now() - start) * 1000:
                    await users[sent % len(users)].set(("busy", "dnd")[sent // len(users) % 2], str(sent))
                    n, sent = n + 1, sent + 1
                await asyncio.sleep(0.01)
        await changes(3)
        before = [n.rss_bytes() for n in s.c]
        await background(s.redis.kill)
        start = now()
        await changes(8 * (1 if ROUNDS == 1 else 7.5))
        away, during = now() - start, [n.rss_bytes() for n in s.c]
        await background(s.redis.start)
        note("%.0f s of outage, %d changes in all; memory of the nodes %s; converged after %.1f s" % (
            away, sent, ", ".join("%+d KiB" % ((d - b) // 1024) for b, d in zip(before, during)), await s.verify(RETURN + 5)))
        for b, d in zip(before, during):
            assert d - b < 8 << 20, "grew by %d KiB" % ((d - b) // 1024)
        await s.ready(True)
        s.all_there()
        s.pulse()


# --- Redis refuses, lies, moves ---

async def refuses(s, make, undo, what, unready=True):
    """Redis refuses: /ready says so, local service goes on, nobody is shown offline; after that all is as it was."""
    users = await s.crowd("a", 0, 4) + await s.crowd("b", 1, 4)
    await seen_everywhere(s)
    await make()
    if unready:
        took = await s.ready(False)
        note("%s: /ready 503 after %.1f s" % (what, took))
    await users[1].set("busy", what)
    await users[5].set("dnd", what)
    await users[0].leave()
    await asyncio.sleep(LEASE + 1)
    s.all_there()
    await undo()
    note("%s: converged %.1f s after its end" % (what, await s.verify(RETURN + 5)))
    await s.ready(True)
    await keys_of(s, {"a-1": "busy", "b-1": "dnd", "b-2": "online"})
    await s.quiet(2)
    s.pulse()


@case("R10 READONLY: the master becomes a replica, and a master again")
async def readonly(_):
    with Redis() as other:
        async with Stage(2) as s:
            await refuses(s, lambda: command(s, "REPLICAOF", "127.0.0.1", other.port),
                          lambda: command(s, "REPLICAOF", "NO", "ONE"), "READONLY")


@case("R10 OOM: no memory for writes, and memory again")
async def oom(_):
    async with Stage(2, "--presence-ttl", "8s") as s:  # a key that was refused is written again when it is kept fresh
        async def full():
            await command(s, "CONFIG", "SET", "maxmemory", "1")

        async def room():
            await command(s, "CONFIG", "SET", "maxmemory", "0")
        # Letters go on, and the lease: that is as ready as it was. What cannot be written is said.
        await refuses(s, full, room, "OOM", unready=False)
        assert (s[0].metric("presenced_redis_refused_total") or 0) > 0 and "OOM" in s[0].server.log(), s[0].server.log()[-2000:]


@case("R10 NOAUTH: a password that nobody told us of, and none again")
async def noauth(_):
    async with Stage(2) as s:
        async def locked():
            await command(s, "CONFIG", "SET", "requirepass", "changed")
            s.redis.password = "changed"
            await command(s, "CLIENT", "KILL", "TYPE", "pubsub")
            await command(s, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

        async def opened():
            await command(s, "CONFIG", "SET", "requirepass", "")
            s.redis.password = None
        await refuses(s, locked, opened, "NOAUTH")


@case("R10 Sentinel fails over, the last writes lost: the nodes follow, write their own anew, and nobody sees a flicker")
async def failover(_):
    with Redis() as master, Redis(replica_of=master) as replica, Sentinel(master) as sentinel:
        await background(sentinel.wait_replicas)
        async with Stage(2, redis=replica, redis_options=["--redis-url", sentinel.url]) as s:
            users = await s.crowd("a", 0, 5) + await s.crowd("b", 1, 5)
            await seen_everywhere(s)
            await users[1].set("busy", "just before")
            start = now()
            await background(master.kill)
            await users[2].set("dnd", "while there is none")
            await users[0].leave()
            await background(sentinel.wait_failover, master.port)
            failed_over = now() - start
            note("failover after %.1f s; converged %.1f s later" % (failed_over, await s.verify(RETURN + 10)))
            await s.ready(True, seconds=15)
            await keys_of(s, {"a-1": "busy", "a-2": "dnd", "b-2": "online"})
            await s.quiet(2)
            s.all_there()
            s.pulse()


@case("5 no Redis at the start: the nodes serve, /ready says so; it comes, and they are one")
async def absent(_):
    redis = Redis()
    await background(redis.kill)
    try:
        async with Stage(2, redis=redis, wait=False) as s:
            users = await s.crowd("a", 0, 3) + await s.crowd("b", 1, 3)
            equal(await background(lambda: [n.ready() for n in s.c]), [False, False])
            await users[0].set("busy", "alone")
            await asyncio.sleep(1)
            for w in s.watchers[0]:
                assert [e for e in w.stream.events if e.user == "a-0" and e.state.get("status") == "busy"], "not shown at the same node"
            await background(redis.start)
            note("Redis came: converged after %.1f s" % await s.verify(RETURN))
            await s.ready(True)
            s.all_there()
            s.pulse()
    finally:
        redis.close()


JUNK = [b"", b"\0", b"{", b"null", b"[]", b"{}", b'"x"', b"\xff\xfe{}", b"%s%n%s", b'{"a":1,"a":2}', b"[" * 10000, b'{"a":' * 5000, b"\xed\xa0\x80",
        b"x" * 700000, b'{"type":"presence"}', b'{"type":"presence","user_id":"","status":"online"}',
        b'{"type":"presence","user_id":"' + b"x" * 200 + b'","status":"online"}', b'{"type":"presence","user_id":"a-1","status":7}',
        b'{"type":"presence","user_id":"a\\u0000b","status":"online"}', b'{"type":"presence","user_id":"nobody","status":"asleep"}',
        b'{"room_id":7,"message":{}}', b'{"room_id":"r","message":7}', b'{"user_ids":"a-1","message":{}}', b'{"user_ids":[1],"message":{}}',
        b'{"room_id":"r","user_ids":["a-1"],"message":{}}', b'{"message":{}}', b'{"room_id":"' + b"r" * 5000 + b'","message":{}}',
        b'{"t":"users","n":"a","e":1,"s":1,"u":[]}', b'{"t":"beat","n":"a"}', b'{"t":"beat","n":"a","e":-1,"s":1e99}',
        b'{"t":"bye","n":"' + b"n" * 300 + b'","e":1,"s":1}', b'{"t":"nonsense","n":"a","e":1,"s":1}', b'{"t":"say","n":"zz","e":1,"s":1,"m":{}}']


@case("R16 R9 hostile payloads on all our channels, letters doubled, late, cut and changed: ignored, counted; nobody sees anything")
async def hostile(_):
    async with Stage(2) as s:
        users = await s.crowd("a", 0, 4) + await s.crowd("b", 1, 4)
        with s.redis.listen("presenced:*") as heard:
            for i in range(4):
                for user in users:
                    await user.set(("busy", "dnd")[i % 2], str(i))
                await asyncio.sleep(0.2)
            await seen_everywhere(s)
            await asyncio.sleep(2.5)
        letters = list(heard.heard)
        assert letters, "nothing on presenced:*"
        channels = sorted({ch for ch, _ in letters} | set(await command(s, "PUBSUB", "CHANNELS", "presenced:*")) |
                          {"presence:updates", "message:broadcast", "presenced:nonsense"})
        note("%d letters on %d channels were kept" % (len(letters), len(channels)))

        def publish(pairs):
            with s.redis.client(decode_responses=False) as client:
                pipe = client.pipeline(transaction=False)
                for channel, payload in pairs:
                    pipe.publish(channel, payload)
                pipe.execute()
        quiet = asyncio.create_task(s.quiet(4))
        await background(publish, [(ch, junk) for ch in channels for junk in JUNK])
        users_letters = [(ch, text) for ch, text in letters if '"users"' in text or '"state"' in text]
        await background(publish, users_letters + users_letters[::-1])              # R9: doubled and out of order
        cut = [(ch, text[:random.randrange(len(text))]) for ch, text in letters for _ in range(4)]
        await background(publish, cut)
        await quiet
        s.all_there()
        bad = [l for l in curl(s[0].http("/metrics")).body.decode().splitlines() if not l.startswith("#") and "presenced_" in l and
               "refused" in l and float(l.split()[-1]) > 0]
        assert bad, "no metric counts what was refused"
        await users[0].set("away", "and after")
        await s.verify(8)
        await s.ready(True)
        s.pulse()


@case("R16 letters with a byte changed, by the thousand: the nodes live and serve, and nodes that never were are gone after a lease")
async def flipped(_):
    async with Stage(2, pulses=False, forgive="Another process uses the node-id") as s:
        users = await s.crowd("a", 0, 4) + await s.crowd("b", 1, 4)
        with s.redis.listen("presenced:*") as heard:
            for user in users:
                await user.set("busy", "x")
            await asyncio.sleep(2.5)
        chance = random.Random(4)

        def flood():
            with s.redis.client(decode_responses=False) as client:
                for _ in range(10):
                    pipe = client.pipeline(transaction=False)
                    for channel, text in chance.choices(heard.heard, k=200):
                        raw = bytearray(text.encode())
                        for _ in range(chance.randrange(1, 3)):
                            raw[chance.randrange(len(raw))] = chance.randrange(256)
                        pipe.publish(channel, bytes(raw))
                    pipe.execute()
        await background(flood)
        await asyncio.sleep(1)
        s.all_there()
        for user in users:
            await user.client.sync()
        for node in s.c:
            got = await background(lambda: [p["is_online"] for p in node.get("/api/v1/presence/bulk", data={"user_ids": [u.name for u in users if u.node is node]})["presences"]])
            equal(got, [True] * 4, "its own users, at " + node.name)
        await s.ready(True, seconds=20)
        for node in s.c:
            await background(node.wait_nodes, 2, 15)


run(None, together=4, seconds=90 * (1 if ROUNDS == 1 else 3))

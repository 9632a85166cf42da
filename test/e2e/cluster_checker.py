#!/usr/bin/python3
"""That lib/checker.py finds what it is there to find: made-up streams, good ones and one for each thing that can be wrong. And that
lib/stage.py and lib/cluster.py notice a node that crashes, or stands still, and a client that cannot read what it is sent."""
import asyncio, os, signal, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from checker import Stream, Truth, check
from stage import Stage
from tap import end, ok

LAG = 2


def truth():
    """ann: 1 to 10, and 10.2 to 20; bob: 1 to 10, and 15 on, busy from 16, dnd from 17; cy: on two connections, of which one ends;
    dan, of whom not everybody is told: 1 to 4, and 6 on, away from 6.5; eve: 1 on, busy from 2, and whatever else at once."""
    t = Truth()
    t.start = 0
    t.came("ann", 1, 1)
    t.went("ann", 10)
    t.came("ann", 10.1, 10.2)
    t.came("bob", 1, 1)
    t.went("bob", 10)
    t.came("bob", 14.9, 15)
    t.put("bob", 16, status="busy")
    t.put("bob", 17, status="dnd", custom="deep")
    t.came("cy", 1, 1)
    t.came("cy", 2, 2)
    t.went("cy", 5)
    t.came("dan", 1, 1)
    t.went("dan", 4)
    t.came("dan", 6, 6)
    t.put("dan", 6.5, status="away")
    t.came("eve", 1, 1)
    t.put("eve", 2, status="busy")
    t.undecided("eve")
    return t


def user(name, status, custom=None, seen="2026-01-14T12:00:00.000Z"):
    return {"user_id": name, "status": status, "custom_status": custom, "metadata": None, "last_seen": seen, "device_count": 1}


def dotted(*events):
    """(time, name, status, custom): one user's; (time, [users]): a snapshot."""
    s = Stream("watch", "dotted")
    for at, name, *rest in sorted(events, key=lambda e: e[0]):
        if isinstance(name, list):
            s.read({"type": "presence.update", "payload": {"users": name}}, at)
        else:
            s.read({"type": "presence.offline" if rest[0] == "offline" else "presence.update", "payload": user(name, *rest)}, at)
    return s


GOOD = [(0.5, []), (1.01, "ann", "online"), (1.02, "bob", "online"), (1.03, "cy", "online"), (11.1, "bob", "offline"),
        (15.1, "bob", "online"), (16.1, "bob", "busy"), (17.1, "bob", "dnd", "deep")]


def but(at, *event):
    """The good stream with this one more."""
    return GOOD + [(at, *event)]


def without(at):
    return [e for e in GOOD if e[0] != at]


ROWS = [  # name, stream, what the report says (None: all is well), debounce
    ("all as it was", dotted(*GOOD), None),
    ("a snapshot in the middle, of one who connected anew", dotted(*but(12, [user("ann", "online"), user("cy", "online")])), None),
    ("P4 middles left out", dotted(*without(16.1)), None),
    ("P5 offline of one who was there all the time", dotted(*but(7, "cy", "offline")), "a false offline"),
    ("P1 offline of one who came back within the debounce", dotted(*but(10.15, "ann", "offline")), "a false offline"),
    ("offline before the debounce is over", dotted(*without(11.1), (10.3, "bob", "offline")), "a false offline"),
    ("a false offline long after", dotted(*but(18, "bob", "offline")), "a false offline"),
    ("a false offline soon after the first coming", dotted(*but(1.5, "cy", "offline")), "a false offline"),
    ("a second offline for one absence", dotted(*without(16.1), (16.1, "bob", "offline")), "a false offline"),
    ("an offline for an absence whose end was told: what was set after it was shown",
     dotted(*but(1.04, "dan", "online"), (6.6, "dan", "away"), (7, "dan", "offline"), (7.1, "dan", "away")), "a false offline"),
    ("a flicker: offline and online again", dotted(*but(7, "cy", "offline"), (7.1, "cy", "online")), "a false offline"),
    ("an online of one who was not there yet", dotted((0.1, []), (0.2, "ann", "online")), "a false online"),
    ("a ghost: online again soon after the offline, until they really come", dotted(*without(15.1), (11.5, "bob", "online")), "a false online"),
    ("a ghost: online again long after the end", dotted(*without(15.1)[:5], (14, "bob", "online")), "a false online"),
    ("P2 offline twice", dotted(*but(11.2, "bob", "offline")), "no alternation"),
    ("P2 online twice", dotted(*but(1.5, "cy", "online")), "the same twice"),
    ("R9 a change twice", dotted(*but(17.5, "bob", "dnd", "deep")), "the same twice"),
    ("P4 reordered", dotted(*but(17.5, "bob", "busy")), "an older state after a newer one"),
    ("a state that nobody set", dotted(*but(17.5, "bob", "away")), "a state that was never set"),
    ("of one of whom two things were set at once: any of them, in any order",
     dotted(*but(2, "eve", "busy"), (2.1, "eve", "online"), (2.2, "eve", "busy")), None),
    ("of one of whom two things were set at once: what nobody set", dotted(*but(2, "eve", "away")), "a state that was never set"),
    ("a custom status that nobody set", dotted(*but(17.5, "bob", "dnd", "other")), "a state that was never set"),
    ("P8 last_seen goes back", dotted(*without(16.1), (16.1, "bob", "busy", None, "2026-01-14T11:59:59.999Z")),
     "last_seen went back"),
    ("P4 the last state is missing", dotted(*without(17.1)), "the last state shown is"),
    ("R7 an offline was missed, and the online after it", dotted(*[e for e in GOOD if e[0] < 11]), "the last state shown is"),
    ("somebody it was never told of", dotted(*without(1.03)), "the last state shown is"),
    ("a snapshot that leaves out one who is there", dotted(*but(12, [user("ann", "online")])), "a false offline"),
    ("a snapshot with one who is not there", dotted(*but(14, [user("ann", "online"), user("cy", "online"), user("bob", "online")])),
     "a false online"),
]


def others():
    """The same in the words of other dialects."""
    rooms, snake, upper = Stream("r", "rooms"), Stream("s", "snake"), Stream("u", "upper")
    for at, name, status in [e[:3] for e in GOOD[1:]]:
        rooms.read({"type": "presence", "user_id": name, "status": status}, at)
        snake.read({"type": "presence_update", "payload": {"user_id": name, "online_status": status, "custom_status":
                    "deep" if status == "dnd" else None, "metadata": None}}, at)
        upper.read({"type": "PRESENCE_UPDATE", "userId": name, "payload": {"status": status.replace("dnd", "busy")}}, at)
    upper.events = [e for e in upper.events if e.at != 17.1]
    roster = Stream("o", "roster")
    for at, users in ((0.5, []), (1.01, ["ann", "bob", "cy"]), (11.1, ["ann", "cy"]), (15.1, ["ann", "bob", "cy"])):
        roster.read({"type": "presence.user.online", "users": users}, at)
    bad = Stream("o", "roster")
    for at, users in ((0.5, []), (1.01, ["ann", "bob", "cy"]), (7, ["ann", "bob"]), (7.5, ["ann", "bob", "cy"])):
        bad.read({"type": "presence.user.online", "users": users}, at)
    twice = Stream("o", "roster")
    for at, users in ((0.5, []), (1.01, ["ann", "bob", "cy"]), (2, ["ann", "bob", "cy"])):
        twice.read({"type": "presence.user.online", "users": users}, at)
    return [("rooms, snake, upper and roster, all well", [rooms, snake, upper, roster], None),
            ("a roster that flickers", [bad], "a false offline"), ("a roster twice", [twice], "the same list again")]


def judge(streams, users=("ann", "bob", "cy"), lag=LAG):
    told = {e.user for s in streams for e in s.events if e.user}
    try:
        check(truth(), streams, debounce=1, lag=lag, users=told | set(users) if users else [])
    except AssertionError as e:
        return str(e)
    return None


for name, streams, wanted in [(n, [s], w) for n, s, w in ROWS] + others():
    said = judge(streams)
    ok(said is None if wanted is None else wanted in (said or ""), name, "wanted: %s\nsaid: %s" % (wanted, said))
said = judge([dotted(*GOOD), dotted(*but(7, "cy", "offline")), dotted(*but(6, "cy", "offline"))])
ok("+6.000 s: cy: a false offline" in said and "1 other watcher" in said and "connected: +1.000.." in said and "<-- here" in said,
   "the report names the first violation, the truth, and what was shown", said)
said = judge([dotted(*but(7.5, [user("ann", "online"), user("bob", "online")]))], lag=20)
ok("left out of a snapshot" in (said or ""), "one who was shown long ago is in every snapshot, however much lag there may be", said)
unread = dotted(*GOOD)
unread.fault = "KeyError: 'payload'"
ok("KeyError" in (judge([unread]) or ""), "a stream that could not be read to its end is wrong", judge([unread]))
ok("nothing is looked at" in (judge([]) or ""), "no stream is no proof")
ok("nothing is looked at" in (judge([dotted(*GOOD)], None) or ""), "nor is one of no user")


# --- a stage on which something goes wrong ---

def crash(s):
    s[0].server.process.send_signal(signal.SIGSEGV)
    s[0].server.process.wait()


async def crashes_before(s):
    crash(s)
    s[0].restart()


async def crashes_instead(s):
    crash(s)
    s[0].kill()


async def stands_still(s):
    s[0].stop()
    await asyncio.sleep(0.6)
    try:
        s.pulse(worst=0.4)
    finally:
        s[0].cont()


async def cannot_be_read(s):
    s.watchers[0][0].stream.read = lambda message, at=None: message["no such thing"]
    user = await s.join("ann", 0)
    await asyncio.sleep(0.2)
    await user.leave()  # it ends as it began
    await s.verify(2)


async def pulse_cannot_be_read(s):
    async def next(_):
        raise ValueError("no JSON")
    s.pulses[0].client.next = next
    await asyncio.sleep(0.2)
    s.pulse()


async def played(what):
    async with Stage(1, redis_options=[], debounce=0.1, kinds=("dotted",)) as s:
        await asyncio.sleep(0.1)
        await what(s)


for what, wanted in ((crashes_before, "exit code -11"), (crashes_instead, "had ended before it was killed: exit code -11"),
                     (stands_still, "stalled for 0."), (cannot_be_read, "no such thing"), (pulse_cannot_be_read, "no JSON")):
    try:
        asyncio.run(played(what))
        said = "nothing"
    except AssertionError as e:
        said = str(e)
    ok(wanted in said, "a node or a client that %s fails its case" % what.__name__.replace("_", " "), said[-1000:])
end()

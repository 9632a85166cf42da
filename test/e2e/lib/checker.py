"""Replays what every watcher was shown against the truth that the test keeps: who was connected when, who had set what.

	truth = Truth()
	truth.came("ann", began); truth.went("ann"); truth.put("ann", status="busy")
	stream = Stream("bob at b", "dotted"); stream.read(message)          or Watcher, which does this by itself
	check(truth, [stream], debounce=0.5)                                  raises with the first thing that is wrong

What is looked for, per watcher and user: an offline of one who was connected all the time, or less long away than the debounce
(P5, P1); an online of one who was not there; the same said twice, or an offline of one who was not shown online (P2: strictly
alternating); a state that the user never had, or an older one after a newer (P4): an offline and an online too, of an absence that
the watcher has been told the end or the beginning of; a last_seen that goes back (P8); at the end, a last state that is not the
truth, and somebody it was never told of (P4, R7). A watcher that could not read what came fails the check.
"""
import asyncio, math, time, traceback, urllib.parse
from client import Dotted, Rooms, Roster, Snake, Upper
from tap import has

TOLD = 5        # seconds after which what one node was told all nodes must know, for who goes from one to the other
SLACK = 0.25    # how much two clocks reading the same event may differ: the client's and the server's
OFFLINE = {"status": "offline"}
FIELDS = ("status", "custom", "metadata")
KINDS = {"snake": Snake, "dotted": Dotted, "rooms": Rooms, "roster": Roster, "upper": Upper}
now = time.monotonic


class Truth:
    """Times are time.monotonic(). A user's connection begins somewhere between `began` (the request was sent) and `at` (it was
    answered), and ends no earlier than went()."""

    def __init__(self):
        self.start, self.spans, self.states, self.loose = now(), {}, {}, set()

    def came(self, user, began=None, at=None):
        at = now() if at is None else at
        self.spans.setdefault(user, []).append([at if began is None else began, at, None])
        self.states.setdefault(user, [{"status": "online", "custom": None, "metadata": None}])

    def went(self, user, at=None):
        """The oldest of the user's connections ended."""
        span = next(s for s in self.spans[user] if s[2] is None)
        span[2] = now() if at is None else at

    def put(self, user, at=None, **state):
        """The user has set this, of status, custom and metadata; what is not named stays. Before it is sent."""
        self.states[user].append({**self.states[user][-1], **state, "at": now() if at is None else at})

    def undecided(self, user):
        """Two sets at once: which one is the last the test cannot know; their order is not looked at, but that they were set."""
        self.loose.add(user)

    def gaps(self, user):
        """(began, ended) when the user had no connection: the longest that it can have been."""
        edges, out, until = sorted(self.spans.get(user, [])), [], float("-inf")
        for _, at, end in edges:
            if until is not None and at > until:
                out.append((until, at))
            until = None if until is None or end is None else max(until, end)
        return out + ([(until, float("inf"))] if until is not None else [])

    def connected(self, user):
        return any(end is None for _, _, end in self.spans.get(user, []))

    def absence(self, user, at, debounce, lag, since=float("-inf"), until=float("-inf")):
        """When the first gap began, of those that began no earlier than `since` and ended no earlier than `until`, for which the user may
        be shown offline at that time; or None."""
        return next((began for began, end in self.gaps(user) if began >= since and end >= until and end - began >= debounce - SLACK
                     and began + debounce - SLACK <= at <= end + lag), None)

    def may_be_online(self, user, at, debounce, lag, gone=float("-inf")):
        """`gone`: when they were gone, as the watcher has been told."""
        return any(began - SLACK <= at and (end is None or gone < end and at <= end + debounce + lag)
                   for began, _, end in self.spans.get(user, []))

    def last(self, user):
        return self.states[user][-1] if self.connected(user) else OFFLINE


class Event:
    def __init__(self, at, user, state, whole=False):
        self.at, self.user, self.state, self.whole = at, user, state, whole  # whole: part of a snapshot


class Stream:
    """What one watcher was shown, in its dialect; begin() when it connects anew."""

    def __init__(self, name, kind):
        self.name, self.kind, self.events, self.now = name, kind, [], {}  # now: user -> what it shows, None: offline
        self.fresh = True
        self.online = set()  # of a roster
        self.fault = None    # why no more is read, which is the server's fault or the test's own

    def begin(self):
        self.fresh = True

    def show(self, user, state, at=None, whole=False):
        self.events.append(Event(now() if at is None else at, user, state, whole))
        self.now[user] = None if offline(state) else {**(self.now.get(user) or {}), **state}

    def snapshot(self, states, at=None):
        """All that is online; whoever is not in it is not."""
        self.events.append(Event(now() if at is None else at, None, dict(states), True))
        self.now = {user: state for user, state in states.items() if not offline(state)}
        self.fresh = False

    def read(self, message, at=None):
        at = now() if at is None else at
        kind, payload = message.get("type"), message.get("payload")
        if self.kind == "dotted" and kind == "presence.update" and "users" in payload:
            self.snapshot({u["user_id"]: _state(u) for u in payload["users"]}, at)
        elif self.kind == "dotted" and kind in ("presence.update", "presence.online", "presence.offline"):
            self.show(payload["user_id"], _state(payload), at)
        elif self.kind == "snake" and kind == "presence_update":
            self.show(payload["user_id"], _state(payload, "online_status"), at)
        elif self.kind == "rooms" and kind == "presence":
            self.show(message["user_id"], {"status": message["status"]}, at)
        elif self.kind == "upper" and kind == "PRESENCE_UPDATE":
            self.show(message["userId"], {"status": payload["status"]}, at)
        elif self.kind == "roster" and kind == "presence.user.online":
            self._roster(set(message["users"]), message["users"], at)

    def _roster(self, users, listed, at):
        if self.fresh or listed != sorted(users) or users == self.online:
            same = not self.fresh and users == self.online
            self.snapshot({u: {} for u in users}, at)
            self.events[-1].wrong = "the same list again" if same else None if listed == sorted(users) else "a list that is not sorted"
        else:
            for user in sorted(users ^ self.online):
                self.show(user, {} if user in users else OFFLINE, at)
        self.online = users


def _state(user, status="status"):
    state = {"status": user[status]}
    for name, key in (("custom", "custom_status"), ("metadata", "metadata"), ("last_seen", "last_seen")):
        if key in user:
            state[name] = user[key]
    return state


def offline(state):
    return state is None or state.get("status") == "offline"


def agrees(kind, shown, true):
    """Says this dialect's state the same as the truth, in what it says?"""
    if offline(shown) or offline(true):
        return offline(shown) and offline(true)
    for name in FIELDS:
        if name in shown:
            said, is_true = shown[name], true.get(name)
            if kind == "upper" and name == "status" and is_true == "dnd":
                is_true = "busy"
            if said != is_true and not (name == "metadata" and said in (None, {}) and is_true in (None, {})):
                return False
    return True


class _Replay:
    """One watcher's stream, event by event."""

    def __init__(self, truth, stream, debounce, lag, users):
        self.truth, self.stream, self.debounce, self.lag, self.users = truth, stream, debounce, lag, users
        self.shown, self.seen, self.reached, self.texts = {}, {}, {}, {}
        self.absent = {}  # user -> just after the beginning of the gap for which the last offline was: it is for no second one
        self.told = {}    # user -> when the state was set that was shown last: who is shown it was told of all before
        self.since = {}   # user -> since when they have been shown online

    def run(self):
        """(time, what is wrong, of whom) of the first violation, or None."""
        for event in self.stream.events:
            bad = self._snapshot(event) if event.user is None else self._event(event)
            if bad:
                return (event.at, *bad)
        return None

    def _snapshot(self, event):
        if getattr(event, "wrong", None):
            return event.wrong, None
        for user in self.users:
            known = self.since.get(user, math.inf)  # what it was before that time every node has heard
            until = known if event.at > known + TOLD else -math.inf
            if user not in event.state and self.truth.absence(user, event.at, self.debounce, self.lag, until=until) is None:
                return "left out of a snapshot while connected (a false offline)", user
        for user, state in event.state.items():
            bad = self._believable(user, state, event.at)
            if user in self.users and bad:
                return "in a snapshot: " + bad, user
        self.shown = {user: state for user, state in event.state.items() if not offline(state)}
        self.since = {user: self.since.get(user, event.at) for user in self.shown}
        self.absent, self.told = {}, {}  # another node may hear of an absence later
        return None

    def _event(self, event):
        user, state = event.user, event.state
        if user not in self.users:
            return None
        before, self.shown[user] = self.shown.get(user), {**(self.shown.get(user) or {}), **state}
        text = self.texts.get(user)
        self.texts[user] = state.get("custom", text)
        if offline(state):
            self.shown[user] = None
            self.since.pop(user, None)
            if offline(before) and self.texts[user] == text:  # what is set for one who is offline is told too
                return "offline, of one who was not shown online (no alternation)", user
            began = self.truth.absence(user, event.at, self.debounce, self.lag, self.absent.get(user, self.truth.start),
                                       self.told.get(user, -math.inf))
            self.absent[user] = math.inf if began is None else math.nextafter(began, math.inf)
            return ("a false offline", user) if began is None else None
        two_in_one = self.stream.kind == "upper" and state.get("status") == "busy"  # busy, then dnd
        if not two_in_one and not offline(before) and all(before.get(name) == state.get(name, before.get(name)) for name in FIELDS):
            return "the same twice: %r" % state, user
        self.since.setdefault(user, event.at)
        bad = self._believable(user, state, event.at, self.absent.get(user, -math.inf))
        return (bad, user) if bad else None

    def _believable(self, user, state, at, gone=-math.inf):
        if user not in self.users or offline(state):
            return None
        if not self.truth.may_be_online(user, at, self.debounce, self.lag, gone):
            return "a false online"
        seen = state.get("last_seen")
        if seen and seen < self.seen.get(user, ""):
            return "last_seen went back from %s to %s" % (self.seen[user], seen)
        self.seen[user] = seen or self.seen.get(user, "")
        states = self.truth.states[user]
        old = any(agrees(self.stream.kind, state, s) for s in states)
        if old and user in self.truth.loose:
            return None
        for i in range(self.reached.get(user, 0), len(states)):
            if agrees(self.stream.kind, state, states[i]):
                self.reached[user] = i
                self.told[user] = states[i].get("at", -math.inf)
                return None
        return "%s: %r" % ("an older state after a newer one" if old else "a state that was never set", state)

    def last(self):
        for user in sorted(self.users):
            true, shown = self.truth.last(user), self.stream.now.get(user)
            if not _settled(self.truth, self.stream, user):
                return now(), "the last state shown is %r, the truth %r" % (OFFLINE if shown is None else shown, true), user
        return None


def _times(truth, user):
    return ", ".join("%+.3f..%s" % (at - truth.start, "" if end is None else "%+.3f" % (end - truth.start))
                     for _, at, end in truth.spans.get(user, [])) or "never"


def _report(truth, stream, at, what, user):
    about = [e for e in stream.events if user is None or e.user in (user, None)][-400:]
    lines = ["%s (%s) at %+.3f s: %s%s" % (stream.name, stream.kind, at - truth.start, user + ": " if user else "", what)]
    if user:
        lines.append("  connected: " + _times(truth, user))
        lines.append("  set: %r" % (truth.states.get(user, [])[-12:],))
    for e in about:
        if abs(e.at - at) < 60:
            state = e.state if e.user or user is None else {user: e.state.get(user, "not in the snapshot")}
            lines.append("  %+.3f %r%s" % (e.at - truth.start, state, "   <-- here" if e.at == at else ""))
    return "\n".join(lines[:3] + lines[3:][-40:])


def check(truth, streams, debounce, lag=20, last=True, users=None):
    """`lag`: seconds for which an event may be late before it counts as wrong. `last`: all has settled, the last states count.
    `users`: of whom the streams must tell all; those in the truth if not given."""
    users = set(truth.spans if users is None else users)
    assert users and streams, "nothing is looked at: of %d users, in %d streams" % (len(users), len(streams))
    for stream in streams:
        assert stream.fault is None, "%s (%s): %s" % (stream.name, stream.kind, stream.fault)
    replays = [_Replay(truth, stream, debounce, lag, users) for stream in streams]
    wrong = [(bad, r.stream) for r in replays for bad in [r.run()] if bad]
    if not wrong and last:
        wrong = [(bad, r.stream) for r in replays for bad in [r.last()] if bad]
    if wrong:
        (at, what, user), stream = min(wrong, key=lambda w: w[0][0])
        more = len(wrong) - 1
        raise AssertionError(_report(truth, stream, at, what, user) +
                             ("\n  and %d other watchers saw something wrong too" % more if more else ""))


async def settled(truth, streams, seconds, users=None):
    """Waits until every stream's last states are the truth; how long that took. Says nothing if they never are: check() does."""
    start = now()
    users = set(truth.spans if users is None else users)
    while now() - start < seconds and not all(_settled(truth, stream, user) for stream in streams for user in users):
        await asyncio.sleep(0.05)
    return now() - start


def _settled(truth, stream, user):
    shown, true = stream.now.get(user), truth.last(user)
    return offline(shown) == offline(true) if user in truth.loose else agrees(stream.kind, shown, true)


class Watcher:
    """A client of one dialect that records all it is shown; moves to another node with connect() again."""

    def __init__(self, name, kind="dotted"):
        self.stream = Stream("%s" % name, kind)
        self.user, self.client, self.task, self.lost = name, None, None, None

    async def connect(self, node):
        cls = KINDS[self.stream.kind]
        self.stream.begin()
        client = await cls.open(node, urllib.parse.quote(self.user))
        self.client, self.lost = client, None
        if self.stream.kind == "dotted":
            await client.send({"id": "watch", "type": "subscribe", "payload": {"topics": ["presence"]}})
            self.stream.read(await client.want(has(type="presence.update")))
        elif client.first:
            self.stream.read(client.first)
        for message in client.skipped:
            self.stream.read(message)
        client.skipped = []
        self.task = asyncio.create_task(self._record(client))
        return self

    async def _record(self, client):
        try:
            while True:
                self.stream.read(await client.next(3600))
        except AssertionError as e:
            self.lost = str(e)
            if client.socket.open:
                self.stream.fault = self.lost
        except Exception:
            self.lost = self.stream.fault = traceback.format_exc()

    async def close(self):
        if self.task:
            self.task.cancel()
        if self.client:
            await self.client.close()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()

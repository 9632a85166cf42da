#!/usr/bin/python3
"""Five users in five dialects: each sees every other's every change in its own dialect, and REST agrees."""
import asyncio, os, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from client import Dotted, Rooms, Roster, Snake, Upper
from server import Server
from tap import ANY, CASES, TIME, Any, equal, has, run
from web import curl

ROOM = "everywhere"
PEOPLE = {"ann": Snake, "bob": Dotted, "cy": Rooms, "dee": Roster, "eve": Upper}


# How each dialect sets a status (and what else it can say), and how each shows another user's.
def say(kind, **state):
    status = state.pop("status")
    if kind is Snake:
        return {"type": "presence_update", "payload": {"online_status": status, **state}}
    if kind is Dotted:
        return {"id": "u", "type": "presence.update", "payload": {"status": status, **state}}
    if kind is Rooms and "metadata" not in state:
        return {"type": "status", "status": status, **state}
    if kind is Upper and "custom_status" not in state:
        return {"type": "PRESENCE_UPDATE", "payload": {"status": status, **state}}
    return None  # this dialect cannot say it


def of_user(user, **fields):
    """dotted's presence.update, the user flat or in `users`."""
    def holds(message):
        payload = message.get("payload") if isinstance(message, dict) else None
        if not isinstance(payload, dict) or message.get("type") != "presence.update":
            return False
        return any(has(user_id=user, **fields) == u for u in payload.get("users", [payload]))
    return Any("presence.update of %s with %r" % (user, fields), holds)


def shown(kind, user, status, custom=ANY, metadata=ANY):
    """What a watcher of this dialect gets when the user's state becomes this; None: it has no word for it."""
    if kind is Snake:
        return has(type="presence_update", payload__user_id=user, payload__online_status=status,
                   payload__custom_status=custom, payload__metadata=metadata)
    if kind is Dotted:
        return of_user(user, status=status, custom_status=custom, metadata=metadata)
    if kind is Rooms:
        return has(type="presence", user_id=user, status=status)
    if kind is Upper:
        return has(type="PRESENCE_UPDATE", userId=user, payload__status="busy" if status == "dnd" else status,
                   **({} if metadata is ANY else {"payload__metadata": metadata}))
    return None


def came(kind, user, status, people):
    """What a watcher gets when the user comes or goes."""
    if kind is Dotted:
        return has(type="presence." + status, payload__user_id=user, payload__status=status)
    if kind is Roster:
        return has(type="presence.user.online", users=sorted(people))
    return shown(kind, user, status)


class World:
    """All five, connected and subscribed, with nothing unread."""

    def __init__(self, server):
        self.server, self.of = server, {}

    async def __aenter__(self):
        for user, kind in PEOPLE.items():
            self.of[user] = await kind.open(self.server, user, device=user + "-device")
            if kind is Dotted:
                await self.of[user].ask({"id": "s", "type": "subscribe", "payload": {"topics": ["presence"]}},
                                        has(type="subscribed"))
                await self.of[user].ask({"id": "t", "type": "subscribe", "payload": {
                    "topics": ["conversation", "typing"], "filters": {"conversation_id": ROOM}}}, has(type="subscribed"))
            if kind is Snake:
                await self.of[user].ask({"type": "subscribe", "payload": {"conversation_id": ROOM}}, has(type="subscribed"))
            if kind is Rooms:
                await self.of[user].ask({"type": "subscribe", "channel_id": ROOM}, has(type="subscribed"))
        roster = next(c for c in self.of.values() if isinstance(c, Roster))
        if roster.first["users"] != sorted(PEOPLE):
            await roster.want(has(type="presence.user.online", users=sorted(PEOPLE)))
        await self.clear()
        return self

    async def clear(self):
        for c in self.of.values():
            await c.clear()

    async def all_see(self, but=(), wanted=None):
        for user, c in self.of.items():
            expected = wanted(type(c)) if user not in but else None
            if expected is not None:
                try:
                    await c.want(expected)
                except AssertionError as e:
                    raise AssertionError("%s (%s): %s" % (user, type(c).__name__, e)) from None

    async def __aexit__(self, *_):
        for c in self.of.values():
            await c.close()
        self.server.wait_log("msg=.User went offline|scheduling offline|disconnected", 3)


def rest_agrees(server, user, status, custom=None, metadata=None, online=True):
    got = curl(server.http("/" + user)).json
    equal((got["online_status"], got["custom_status"], got["metadata"] or None, got["is_online"], got["device_count"]),
          (status, custom, metadata, online, 1 if online else 0), "REST about " + user)
    equal(curl(server.http("/presence/" + user)).json["status"], status, "GET /presence/" + user)
    listed = [u["status"] for u in curl(server.http("/presence")).json["users"] if u["user_id"] == user]
    equal(listed, [status] if online else [], "GET /presence lists " + user)


def change(user, state):
    async def check(server):
        async with World(server) as world:
            me, kind = world.of[user], PEOPLE[user]
            first = say(kind, status="busy" if state["status"] == "online" else "online")
            await me.send(first)
            await me.sync()
            await world.clear()
            await me.send(say(kind, **state))
            fields = {"custom": state.get("custom_status", ANY), "metadata": state.get("metadata", ANY)}
            await world.all_see(wanted=lambda k: shown(k, user, state["status"], **fields))
            rest_agrees(server, user, state["status"], state.get("custom_status"), state.get("metadata"))
            for c in world.of.values():  # and nobody hears it twice, or another status
                await c.quiet()
        await gone(server)
    return check


async def gone(server):
    """The debounce is over: the next case starts from nothing."""
    for _ in range(100):
        if curl(server.http("/presence")).json["count"] == 0:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("users still online: %r" % curl(server.http("/presence")).json)


STATES = [("online", dict(status="online")), ("away", dict(status="away")), ("busy", dict(status="busy")),
          ("dnd", dict(status="dnd")), ("a custom status", dict(status="busy", custom_status="In a meeting 🙂")),
          ("metadata", dict(status="away", metadata={"device": "mobile", "list": [1, None, "é"]})),
          ("all at once", dict(status="busy", custom_status="deep work", metadata={"x": {"y": 1}}))]
for user, kind in PEOPLE.items():
    for name, state in STATES:
        if say(kind, **dict(state)) is not None:
            CASES.append(("%s (%s) sets %s: all see it" % (user, kind.__name__.lower(), name), change(user, state)))


def comes_and_goes(user):
    async def check(server):
        async with World(server) as world:
            others = sorted(u for u in PEOPLE if u != user)
            start = time.monotonic()
            await world.of[user].drop()
            await world.all_see(but=[user], wanted=lambda k: came(k, user, "offline", others))
            assert time.monotonic() - start >= 0.29, "before the debounce was over"
            rest_agrees(server, user, "offline", online=False)
            world.of[user] = await PEOPLE[user].open(server, user, device=user + "-device")
            await world.all_see(but=[user], wanted=lambda k: came(k, user, "online", PEOPLE))
            rest_agrees(server, user, "online")
        await gone(server)
    return check


for user, kind in PEOPLE.items():
    CASES.append(("%s (%s) goes, offline after the debounce, and comes again" % (user, kind.__name__.lower()),
                  comes_and_goes(user)))

TYPING = {  # who can say it and how; the others' words for start and stop
    "ann": ({"type": "typing", "payload": {"conversation_id": ROOM, "is_typing": True}},
            {"type": "typing", "payload": {"conversation_id": ROOM, "is_typing": False}}),
    "bob": ({"id": "t", "type": "typing.start", "payload": {"conversation_id": ROOM}},
            {"id": "t", "type": "typing.stop", "payload": {"conversation_id": ROOM}}),
    "cy": ({"type": "typing", "channel_id": ROOM}, None),
}


def typed(kind, user, on):
    if kind is Snake:
        return has(type="typing_indicator", payload={"conversation_id": ROOM, "user_id": user, "is_typing": on})
    if kind is Dotted:
        return has(type="typing.start" if on else "typing.stop", payload={"conversation_id": ROOM, "user_id": user})
    if kind is Rooms and on:
        return {"type": "typing", "channel_id": ROOM, "dm_id": None, "user_id": user, "username": user}
    return None


def typing(user):
    async def check(server):
        async with World(server) as world:
            for on, message in zip((True, False), TYPING[user]):
                if message:
                    await world.of[user].send(message)
                await world.all_see(but=[user], wanted=lambda k: typed(k, user, on))
            for c in world.of.values():
                await c.quiet()
            got = curl(server.http("/api/v1/typing"), data={"conversation_id": ROOM, "user_id": user, "is_typing": True})
            equal(got.status, 202, "REST typing")
            await world.all_see(but=[user], wanted=lambda k: typed(k, user, True))
        await gone(server)
    return check


for user in TYPING:
    CASES.append(("%s (%s) types: the room sees it begin and end" % (user, PEOPLE[user].__name__.lower()), typing(user)))


async def rest_writes(server):
    async with World(server) as world:
        body = {"online_status": "dnd", "custom_status": "by REST", "metadata": {"r": 1}}
        equal(curl(server.http("/api/v1/presence/cy"), data=body, method="PUT").status, 200)
        await world.all_see(wanted=lambda k: shown(k, "cy", "dnd", "by REST", {"r": 1}))
        rest_agrees(server, "cy", "dnd", "by REST", {"r": 1})
    await gone(server)
CASES.append(("REST sets a status: all five see it", rest_writes))


async def invisible(server):
    async with World(server) as world:
        await world.of["ann"].send(say(Snake, status="invisible"))
        others = sorted(u for u in PEOPLE if u != "ann")
        await world.all_see(but=["ann"], wanted=lambda k: came(k, "ann", "offline", others)
                            if k is not Dotted else Any("offline", lambda m: "offline" in str(m)))
        rest_agrees(server, "ann", "offline", online=False)
    await gone(server)
CASES.append(("ann (snake) turns invisible: offline in every dialect", invisible))


async def broadcast(server):
    async with World(server) as world:
        got = curl(server.http("/api/v1/broadcast"), data={"all": True, "exclude": ["dee"], "data": {"n": 7}})
        equal(got.status, 202)
        words = {Snake: has(type="message"), Dotted: has(type="message.new", payload={"n": 7}),
                 Rooms: {"type": "message", "data": {"n": 7}}, Upper: has(type="MESSAGE")}
        await world.all_see(but=["dee"], wanted=words.get)
    await gone(server)
CASES.append(("a broadcast reaches all in their own words", broadcast))

run(Server("--offline-debounce", "300ms", "--presence-rate", "0", "--typing-ttl", "600ms"))

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
    """All five, connected and subscribed, with nothing unread; made once, and anew after a case that failed."""
    now = None

    def __init__(self, server):
        self.server, self.of = server, {}

    async def join(self, user):
        kind = PEOPLE[user]
        me = self.of[user] = await kind.open(self.server, user, device=user + "-device")
        if kind is Dotted:
            await me.ask({"id": "s", "type": "subscribe", "payload": {"topics": ["presence"]}}, has(type="subscribed"))
            await me.ask({"id": "t", "type": "subscribe", "payload": {
                "topics": ["conversation", "typing"], "filters": {"conversation_id": ROOM}}}, has(type="subscribed"))
        if kind is Snake:
            await me.ask({"type": "subscribe", "payload": {"conversation_id": ROOM}}, has(type="subscribed"))
        if kind is Rooms:
            await me.ask({"type": "subscribe", "channel_id": ROOM}, has(type="subscribed"))

    async def open(self):
        await gone(self.server)
        for user in PEOPLE:
            await self.join(user)
        roster = self.of["dee"]
        if roster.first["users"] != sorted(PEOPLE):
            await roster.want(has(type="presence.user.online", users=sorted(PEOPLE)))
        return self

    async def everywhere(self):
        """Of several nodes: what is known on one has come to the others."""
        await asyncio.sleep(getattr(self.server, "delay", 0))

    async def clear(self):
        await self.everywhere()
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

    async def quiet(self, but):
        """Nothing else reached anybody; `but` had answers of its own."""
        await self.everywhere()
        for user, c in self.of.items():
            if user != but:
                await c.quiet()

    async def close(self):
        for c in self.of.values():
            await c.close()


def among_five(name, function):
    async def check(server):
        world = World.now or World(server)
        try:
            if World.now is None:
                World.now = await world.open()
            await world.clear()
            await function(server, world)
        except BaseException:
            World.now = None
            await world.close()
            raise
    CASES.append((name, check))


def rest_agrees(server, user, status, state={}, online=True):
    got = curl(server.http("/" + user)).json
    equal((got["online_status"], got["is_online"], got["device_count"]), (status, online, 1 if online else 0),
          "REST about " + user)
    equal({k: got[k] for k in state if k != "status"}, {k: state[k] for k in state if k != "status"}, "REST about " + user)
    equal(curl(server.http("/presence/" + user)).json["status"], status, "GET /presence/" + user)
    listed = [u["status"] for u in curl(server.http("/presence")).json["users"] if u["user_id"] == user]
    equal(listed, [status] if online else [], "GET /presence lists " + user)


async def gone(server):
    for _ in range(200):
        if curl(server.http("/presence")).json["count"] == 0:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("users still online: %r" % curl(server.http("/presence")).json)


def change(user, state):
    async def check(server, world):
        me, kind = world.of[user], PEOPLE[user]
        await me.send(say(kind, status="busy" if state["status"] == "online" else "online"))
        await me.sync()
        await world.clear()
        await me.send(say(kind, **state))
        fields = {"custom": state.get("custom_status", ANY), "metadata": state.get("metadata", ANY)}
        await world.all_see(wanted=lambda k: shown(k, user, state["status"], **fields))
        rest_agrees(server, user, state["status"], state)
        await world.quiet(but=user)  # nobody hears it twice, or another status
    return check


STATES = [("online", dict(status="online")), ("away", dict(status="away")), ("busy", dict(status="busy")),
          ("dnd", dict(status="dnd")), ("a custom status", dict(status="busy", custom_status="In a meeting 🙂")),
          ("metadata", dict(status="away", metadata={"device": "mobile", "list": [1, None, "é"]})),
          ("all at once", dict(status="busy", custom_status="deep work", metadata={"x": {"y": 1}}))]
for user, kind in PEOPLE.items():
    for name, state in STATES:
        if kind is not Roster and say(kind, **dict(state)) is not None:
            among_five("%s (%s) sets %s: all see it" % (user, kind.__name__.lower(), name), change(user, state))


def comes_and_goes(user):
    async def check(server, world):
        others = sorted(u for u in PEOPLE if u != user)
        state = curl(server.http("/" + user)).json["online_status"]
        start = time.monotonic()
        await world.of[user].drop()
        await world.all_see(but=[user], wanted=lambda k: came(k, user, "offline", others))
        assert time.monotonic() - start >= 0.29, "before the debounce was over"
        rest_agrees(server, user, "offline", online=False)
        await world.join(user)
        back = curl(server.http("/" + user)).json["online_status"]
        assert back in ("online", state), "%s, then %s" % (state, back)
        await world.all_see(but=[user], wanted=lambda k: has(type="presence.online", payload__user_id=user,
                            payload__status=back) if k is Dotted else came(k, user, back, PEOPLE))
        texts = {name: curl(server.http("/" + user)).json[name] for name in ("custom_status", "metadata")}
        if any(texts.values()):  # presence.online has no place for them
            await world.all_see(but=[user], wanted=lambda k: has(type="presence.update", payload__user_id=user, payload__status=back,
                                **{"payload__" + name: value for name, value in texts.items()}) if k is Dotted else None)
        rest_agrees(server, user, back)
        await world.quiet(but=user)
    return check


for user, kind in PEOPLE.items():
    among_five("%s (%s) goes, offline after the debounce, and comes again" % (user, kind.__name__.lower()),
               comes_and_goes(user))

TYPING = {  # who can say it and how: start, stop (rooms has no word for it)
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
    async def check(server, world):
        for on, message in zip((True, False), TYPING[user]):
            if message:
                await world.of[user].send(message)
            await world.all_see(but=[user], wanted=lambda k: typed(k, user, on))
        await world.quiet(but=user)
        got = curl(server.http("/api/v1/typing"), data={"conversation_id": ROOM, "user_id": user, "is_typing": True})
        equal(got.status, 202, "REST typing")
        for on in (True, False):
            await world.all_see(but=[user], wanted=lambda k: typed(k, user, on))
    return check


for user in TYPING:
    among_five("%s (%s) types: the room sees it begin and end" % (user, PEOPLE[user].__name__.lower()), typing(user))


async def rest_writes(server, world):
    body = {"online_status": "dnd", "custom_status": "by REST", "metadata": {"r": 1}}
    equal(curl(server.http("/api/v1/presence/cy"), data=body, method="PUT").status, 200)
    await world.all_see(wanted=lambda k: shown(k, "cy", "dnd", "by REST", {"r": 1}))
    rest_agrees(server, "cy", "dnd", {"custom_status": "by REST", "metadata": {"r": 1}})


async def invisible(server, world):
    others = sorted(u for u in PEOPLE if u != "ann")
    await world.of["ann"].send(say(Snake, status="invisible"))
    await world.all_see(but=["ann"], wanted=lambda k: came(k, "ann", "offline", others))
    rest_agrees(server, "ann", "offline", online=False)
    await world.of["ann"].send(say(Snake, status="busy"))
    await world.all_see(but=["ann"], wanted=lambda k: has(type="presence.online", payload__user_id="ann")
                        if k is Dotted else came(k, "ann", "busy", PEOPLE))
    rest_agrees(server, "ann", "busy")


async def broadcast(server, world):
    got = curl(server.http("/api/v1/broadcast"), data={"all": True, "exclude": ["dee"], "data": {"n": 7}})
    equal(got.status, 202)
    words = {Snake: has(type="message", payload={"n": 7}), Dotted: has(type="message.new", payload={"n": 7}),
             Rooms: {"type": "message", "data": {"n": 7}}, Upper: has(type="MESSAGE", payload={"n": 7})}
    await world.all_see(but=["dee"], wanted=words.get)


among_five("REST sets a status: all five see it", rest_writes)
among_five("ann (snake) turns invisible and back: offline and online in every dialect", invisible)
among_five("a broadcast reaches all in their own words", broadcast)
OPTIONS = ("--offline-debounce", "300ms", "--presence-rate", "0", "--typing-ttl", "600ms")
if __name__ == "__main__":
    run(Server(*OPTIONS))

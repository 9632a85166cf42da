"""python3-websockets 10.4 as five dialects speak through it; every wait has a limit."""
import asyncio, json
import websockets
import secure
from tap import Any, equal, has, same


def compact(message):
    return message if isinstance(message, (str, bytes)) else json.dumps(message)


def credentials(url, headers):
    """How to connect in the suite's mode."""
    pairs = list((headers or {}).items())
    trust = {"ssl": secure.context()} if url.startswith("wss:") else {}
    return {"extra_headers": pairs + secure.authorization(url, pairs), **trust}


class Client:
    """One connection. Messages that nobody asked for are kept in .skipped until seen() or quiet() look at them."""
    alive = None  # (message to send, what its answer is like): an answer proves that all before it was handled

    def __init__(self, socket):
        self.socket, self.skipped, self.first = socket, [], None

    @classmethod
    async def connect(cls, url, headers=None, **options):
        options.setdefault("ping_interval", None)
        options.setdefault("close_timeout", 2)
        options.setdefault("compression", None)
        options.setdefault("max_queue", None)  # else one that does not read cannot close: the Close waits behind what is unread
        return cls(await asyncio.wait_for(websockets.connect(url, **credentials(url, headers), **options), 10))

    async def send(self, message):
        await self.socket.send(compact(message))

    async def next(self, seconds=5):
        try:
            text = await asyncio.wait_for(self.socket.recv(), seconds)
        except asyncio.TimeoutError:
            raise AssertionError("no message within %s s; before: %s" % (seconds, self.skipped[-6:])) from None
        except websockets.ConnectionClosed as e:
            raise AssertionError("closed (%s) while waiting; before: %s" % (e, self.skipped[-6:])) from None
        assert isinstance(text, str), "a binary message: %r" % text
        return json.loads(text)

    async def want(self, wanted, seconds=5):
        """The first message like this, of those skipped so far or yet to come; others are skipped and kept."""
        for i, message in enumerate(self.skipped):
            if same(wanted, message):
                return self.skipped.pop(i)
        loop = asyncio.get_running_loop()
        limit = loop.time() + seconds
        while True:
            try:
                message = await self.next(max(0.01, limit - loop.time()))
            except AssertionError as e:
                raise AssertionError("wanted %r\n    %s" % (wanted, e)) from None
            if same(wanted, message):
                return message
            self.skipped.append(message)

    async def ask(self, message, wanted, seconds=5):
        await self.send(message)
        return await self.want(wanted, seconds)

    async def sync(self):
        """Everything the server had sent before now has come and lies in .skipped."""
        question, answer = self.alive
        await self.ask(question, answer)

    async def quiet(self, *unwanted):
        """Nothing like these has come (with none: nothing at all)."""
        await self.sync()
        bad = [m for m in self.skipped if not unwanted or any(same(u, m) for u in unwanted)]
        assert not bad, "unwanted: %r" % bad
        self.skipped = []

    async def clear(self):
        await self.sync()
        self.skipped = []

    async def closed(self, code, seconds=10):
        """The server closes with this code."""
        async def drain():
            try:
                while True:
                    self.skipped.append(json.loads(await self.socket.recv()))
            except websockets.ConnectionClosed:
                pass
        try:
            await asyncio.wait_for(drain(), seconds)
        except asyncio.TimeoutError:
            raise AssertionError("not closed (%d) within %d s; got %s" % (code, seconds, self.skipped[-6:])) from None
        equal(self.socket.close_code, code, "close code (reason %r)" % self.socket.close_reason)

    async def close(self):
        await self.socket.close()

    async def drop(self):
        """Ends the TCP connection without a Close."""
        self.socket.transport.abort()
        await asyncio.wait_for(self.socket.wait_closed(), 5)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()


class Snake(Client):
    alive = ({"type": "ping"}, has(type="pong"))

    @classmethod
    async def open(cls, server, user, device=None, listener=0, **options):
        headers = {"X-User-ID": user, **({"X-Device-ID": device} if device else {})}
        self = await cls.connect(server.url("/ws", listener), headers, **options)
        self.first = await self.want(has(type="connection_ack"))
        return self


class Dotted(Client):
    alive = ({"id": "sync", "type": "ping"}, has(type="pong", reply_to="sync"))

    @classmethod
    async def open(cls, server, user, device=None, listener=0, **options):
        path = "/ws?user_id=" + user + ("&device_id=" + device if device else "")
        self = await cls.connect(server.url(path, listener), **options)
        self.first = await self.want(has(type="connected"))
        return self


class Rooms(Client):
    alive = ({"type": "ping"}, has(type="pong"))

    @classmethod
    async def open(cls, server, user, name=None, device=None, listener=0, **options):
        path = "/ws?dialect=rooms&user_id=" + user + ("&username=" + name if name else "") + \
            ("&device_id=" + device if device else "")
        self = await cls.connect(server.url(path, listener), **options)
        await self.sync()
        return self


class Roster(Client):
    alive = ({"type": "ping"}, has(type="pong"))

    @classmethod
    async def open(cls, server, user, device=None, listener=0, **options):
        path = "/ws?dialect=roster&user_id=" + user + ("&client_id=" + device if device else "")
        self = await cls.connect(server.url(path, listener), **options)
        self.first = await self.want(has(type="presence.user.online"))
        return self


class Upper(Client):
    alive = ({"type": "HEARTBEAT"}, has(type="HEARTBEAT_ACK"))

    @classmethod
    async def open(cls, server, user, device=None, listener=0, **options):
        path = "/?userId=" + user + ("&device_id=" + device if device else "")
        self = await cls.connect(server.url(path, listener), **options)
        self.first = await self.want(has(type="CONNECT"))
        return self


async def refused(url, status, headers=None, **options):
    """The upgrade is answered with this status; returns the answer's headers."""
    try:
        socket = await asyncio.wait_for(websockets.connect(url, **credentials(url, headers), **options), 10)
    except websockets.InvalidStatusCode as e:
        equal(e.status_code, status, "status of the refused upgrade")
        return e.headers
    await socket.close()
    raise AssertionError("accepted, should have been refused with %d" % status)

"""A WebSocket client of which there can be thousands: it answers pings and Close, sends what it is told, and forgets what comes."""
import asyncio
from client import compact
from server import masked, upgrade


class Light(asyncio.Protocol):
    def __init__(self):
        self.buffer, self.transport, self.code, self.open, self.upgraded = b"", None, None, False, False
        self.opened, self.ended = asyncio.get_running_loop().create_future(), asyncio.Event()

    socket = property(lambda self: self)  # as lib/client.py's has one that is .open

    @classmethod
    async def open_at(cls, node, user, device="d"):
        """Connected as that user, in dotted, subscribed to nothing."""
        _, self = await asyncio.wait_for(asyncio.get_running_loop().create_connection(cls, "127.0.0.1", node.ports[0]), 10)
        self.transport.write(upgrade("/ws?user_id=%s&device_id=%s" % (user, device)))
        try:
            await asyncio.wait_for(self.opened, 20)
        except BaseException:
            self.transport.abort()
            raise
        return self

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _):
        self.open = False
        self.ended.set()
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed before it was open"))

    def data_received(self, data):
        self.buffer += data
        if not self.upgraded:
            head, end, self.buffer = self.buffer.partition(b"\r\n\r\n")
            if not end or b" 101 " not in head[:16]:  # it comes in one piece on loopback
                self.transport.abort()
                return
            self.upgraded = True
        at = 0
        while len(self.buffer) - at >= 2:
            length, begin = self.buffer[at + 1], at + 2
            if length == 126:
                length, begin = int.from_bytes(self.buffer[begin:begin + 2], "big"), begin + 2
            elif length == 127:
                length, begin = int.from_bytes(self.buffer[begin:begin + 8], "big"), begin + 8
            if len(self.buffer) < begin + length:
                break
            self._frame(self.buffer[at] & 15, self.buffer[begin:begin + length])
            at = begin + length
        self.buffer = self.buffer[at:]

    def _frame(self, opcode, payload):
        if opcode == 1 and not self.open and self.code is None:  # `connected`
            self.open = True
            if not self.opened.done():
                self.opened.set_result(None)
        elif opcode == 9:
            self.transport.write(masked(10, payload))
        elif opcode == 8:
            self.code, self.open = int.from_bytes(payload[:2], "big"), False
            self.transport.write(masked(8, payload))

    async def send(self, message):
        if self.open:
            self.transport.write(masked(1, compact(message)))

    async def next(self, _=None):
        """Until it is closed."""
        await self.ended.wait()
        raise AssertionError("closed (%r)" % self.code)

    async def drop(self):
        self.open = False
        self.transport.abort()

    async def close(self):
        await self.drop()

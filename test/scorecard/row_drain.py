TITLE = "S12: SIGTERM with 10,000 clients"
import http.client, json, re, threading, time
from lib import place
from lib.row import Row
from redisd import Redis
from server import masked, websocket

CROWD, DRAIN_SECONDS = 10000, 10
PACE_SECONDS = 0.005
SERVER = [*place.QUIET, "--max-connections", "12000", "--drain-timeout", "%ds" % DRAIN_SECONDS, "--presence-rate", "0"]


class Speaker(threading.Thread):
    """A client of the node that drains: sets its status again and again, and keeps what was acknowledged."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.raw, self.acknowledged, self.code, self.fault = websocket(server, "/ws?dialect=snake&user_id=speaker"), 0, None, None
        self.start()

    def run(self):
        try:
            for i in range(1, 1000000):
                message = {"type": "presence_update", "payload": {"online_status": "busy", "custom_status": "n%d" % i}}
                self.raw.send(masked(1, json.dumps(message)))
                while True:
                    first, payload = self.raw.frame(DRAIN_SECONDS)
                    if first & 15 == 8:
                        self.code = int.from_bytes(payload[:2], "big")
                        self.raw.send(masked(8, payload))
                        self.raw.close()
                        return
                    if b"presence_update_ack" in payload and b'"n%d"' % i in payload:
                        self.acknowledged = i
                        break
                time.sleep(PACE_SECONDS)
        except (AssertionError, OSError) as e:
            self.fault = str(e)


class Writer(threading.Thread):
    """REST writes to the node that drains, one after the other, of a user who is at the other node; and how each ended."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.port, self.acknowledged, self.turned_away, self.unanswered, self.over = server.port, 0, 0, 0, False
        self.cut = 0  # came while the process ended: it was the last
        self.start()

    def run(self):
        for i in range(1, 1000000):
            if self.over:
                return
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                connection.connect()
            except OSError:
                self.cut = min(1, self.unanswered)
                return  # it listens no more
            try:
                connection.request("PUT", "/api/v1/presence/written", json.dumps({"online_status": "busy", "custom_status": "n%d" % i}),
                                   {"Content-Type": "application/json"})
                status = connection.getresponse().status
                if status == 200:
                    self.acknowledged = i
                else:
                    self.turned_away += 1
            except (OSError, http.client.HTTPException):
                self.unanswered += 1
            connection.close()
            time.sleep(PACE_SECONDS)


class Watcher(threading.Thread):
    """At the other node: the highest number that it was shown of each, and whether numbers ever fell back."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.raw, self.seen, self.back = websocket(server, "/ws?dialect=dotted&user_id=watcher"), {"speaker": 0, "written": 0}, 0
        self.raw.send(masked(1, json.dumps({"type": "subscribe", "payload": {
            "topics": ["presence"], "filters": {"user_ids": list(self.seen)}}})))
        self.start()

    def run(self):
        while True:
            try:
                _, payload = self.raw.frame(60)
            except (AssertionError, OSError):
                return
            user, number = re.search(rb'"user_id":"(speaker|written)"', payload), re.search(rb'"custom_status":"n(\d+)"', payload)
            if user and number:
                name, n = user[1].decode(), int(number[1])
                self.back += n < self.seen[name]
                self.seen[name] = max(n, self.seen[name])


def ready_status(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status
    finally:
        connection.close()


def drained(redis):
    with place.server(*SERVER, "--redis-url", redis.url) as going, place.server(*SERVER, "--redis-url", redis.url) as staying, \
            place.Generator("crowd", "--port", going.port, "--clients", CROWD, "--rooms", 500, "--span", DRAIN_SECONDS * 500) as crowd:
        joined = crowd.ask("fill 120")["ready"]
        assert joined == CROWD, "only %d joined" % joined
        there = websocket(staying, "/ws?dialect=rooms&user_id=written")
        watcher, speaker, writer = Watcher(staying), Speaker(going), Writer(going)
        time.sleep(1)
        assert speaker.acknowledged and writer.acknowledged and ready_status(going.port) == 200, speaker.fault
        crowd.tell("wait 30")
        began = time.monotonic()
        going.terminate()
        status = ready_status(going.port)
        told_s = time.monotonic() - began
        why = going.ended(DRAIN_SECONDS + 20)
        took = time.monotonic() - began
        writer.over = True
        ends = crowd.line()
        speaker.join(5)
        writer.join(10)
        place.soon(lambda: watcher.seen == {"speaker": speaker.acknowledged, "written": writer.acknowledged}, 5)
        there.close()
    shares = [ends["tenth%d" % i] for i in range(10)]
    kept = watcher.seen["speaker"] >= speaker.acknowledged and watcher.seen["written"] >= writer.acknowledged
    return [
        Row("S12", "SIGTERM with 10,000 clients: the next GET /ready", "503 at once (100 ms)", "%d after %.0f ms" % (status, told_s * 1e3),
            status == 503 and told_s <= 0.1),
        Row("S12", "when they were closed", "all 1001, evenly over half of drain-timeout (%g s): 5 to 15 %% in each tenth" % (DRAIN_SECONDS / 2),
            "%d closed, %d with 1001; %.1f to %.1f %% in a tenth, %d later; the last after %.2f s" % (
                ends["ended"], ends["ended_1001"], min(shares) / CROWD * 100, max(shares) / CROWD * 100, ends["tenth10"],
                ends["closed_max_ms"] / 1e3),
            ends["ended_1001"] == CROWD and min(shares) >= CROWD * 0.05 and max(shares) <= CROWD * 0.15 and ends["tenth10"] <= CROWD * 0.02),
        Row("S12", "what was acknowledged meanwhile, as the other node on the same Redis saw it",
            "nothing acknowledged lost; every REST request answered, but for one in the moment of the exit",
            "%d changes over WebSocket acknowledged, up to %d seen; %d REST writes, up to %d seen; %d turned away, %d without an answer%s" % (
                speaker.acknowledged, watcher.seen["speaker"], writer.acknowledged, watcher.seen["written"], writer.turned_away,
                writer.unanswered, "; " + speaker.fault if speaker.fault else ""),
            kept and watcher.back == 0 and writer.unanswered <= writer.cut and speaker.fault is None),
        Row("S12", "how it ended", "exit 0 within drain-timeout + 2 s (%d s)" % (DRAIN_SECONDS + 2),
            "%s after %.1f s" % (why or "exit 0, a clean log,", took), why is None and took <= DRAIN_SECONDS + 2)]


def twice():
    with place.server(*SERVER) as server, \
            place.Generator("crowd", "--port", server.port, "--clients", CROWD, "--rooms", 500) as crowd:
        assert crowd.ask("fill 120")["ready"] == CROWD
        crowd.tell("wait 10")
        server.terminate()
        time.sleep(1)
        began = time.monotonic()
        server.terminate()
        code = server.process.wait(20)
        took = time.monotonic() - began
        left = CROWD - crowd.line()["ended_1001"]
    return Row("S12", "a second SIGTERM a second later", "<= 100 ms", "exit %d after %.0f ms, with %d clients still there" % (code, took * 1e3, left),
               took <= 0.1 and code == 0)


def measure():
    with Redis() as redis:
        rows = drained(redis)
    return rows + [twice()]

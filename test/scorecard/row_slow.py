TITLE = "S6: 1,000 of 10,000 stop reading under fan-out"
import json, socket, statistics, time
from lib import place
from lib.row import Row

CLIENTS, SLOW, RATE, SECONDS, ROUNDS = 9000, 1000, 10, 3, 3
FILL = 400         # events after which a reader with a small buffer has none left (it holds some 200)
MESSAGES = 400     # 1 KiB each: more than a socket and client-buffer (256) hold
RSS_SLACK = 65536  # pages of a pool that is warm but not wholly: what it keeps of 1,000 slow ones would be 250 KiB and up


def stretch(others):
    """p99 of the others over so many seconds."""
    others.ask("mark")
    time.sleep(SECONDS)
    return others.ask("mark")["heard_p99_ns"]


def broadcast(port, count, window=16):
    """Messages to all, which no later one replaces; `window` requests under way on one connection."""
    body = json.dumps({"all": True, "data": {"pad": "x" * 1000}})
    request = ("POST /api/v1/broadcast HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
               % (len(body), body)).encode()
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.settimeout(30)
        sent, answered, got = 0, 0, b""
        while answered < count:
            if sent < count and sent - answered < window:
                s.sendall(request)
                sent += 1
                continue
            more = s.recv(65536)
            assert more, "the connection for broadcasts was closed"
            got += more
            assert b"HTTP/1.1 4" not in got and b"HTTP/1.1 5" not in got, got[:300]
            answered += got.count(b"HTTP/1.1 202")
            got = got[-11:] if not got.endswith(b"202") else b""


def judged(quiet, attacked):
    """The median of the rounds' ratios, that of their differences in ms, and how it reads."""
    ratio = statistics.median(a / q for q, a in zip(quiet, attacked))
    more = statistics.median((a - q) / 1e6 for q, a in zip(quiet, attacked))
    return ratio, more, "%.2fx, %+.1f ms; quiet %s, attacked %s" % (
        ratio, more, place.ms(statistics.median(quiet)), place.ms(statistics.median(attacked)))


def conflated(server):
    """They follow one user, whose changes replace each other."""
    quiet, attacked, grown, seen = [], [], [], []
    args = ["--port", server.port, "--clients", CLIENTS, "--slow", SLOW, "--rate", RATE, "--first", 0, "--dialect", "follower"]
    with place.Generator("others", *args) as others:
        others.line()
        others.ask("burst %d" % FILL)  # warm: every pool and page that fan-out uses
        for _ in range(ROUNDS):
            quiet.append(stretch(others))
            rss, before = place.rss_bytes(server.pid), place.metric(server.port, "presenced_conflated_total")
            others.ask("deaf")
            others.ask("burst %d" % FILL)
            attacked.append(stretch(others))
            grown.append(place.rss_bytes(server.pid) - rss)
            others.ask("hear")
            seen.append(others.ask("last"))
            seen[-1]["conflated"] = place.metric(server.port, "presenced_conflated_total") - before
        quiet.append(stretch(others))
        others.tell("end")
        lost = others.line()["lost"]
        others.end()
    quiet = [(a + b) / 2 for a, b in zip(quiet, quiet[1:])]  # before and after
    ratio, more, text = judged(quiet, attacked)
    fine = all(s["slow_closed"] + s["slow_right"] == SLOW and s["conflated"] >= SLOW for s in seen)
    return [
        Row("S6", "1,000 of 10,000 followers of presence stop reading: p99 of the other 9,000, %d changes/s" % RATE,
            "<= 1.25x quiet and <= +5 ms", text, ratio <= 1.25 and more <= 5),
        Row("S6", "what became of the slow ones, in each of %d rounds" % ROUNDS,
            "0 changes lost to the others; each slow one conflated to the last state, or closed; RSS +0 (to 64 KiB)",
            "%d lost; %s; %.0f changes conflated; RSS %s KiB" % (
                lost, ", ".join("%d told the last state, %d closed" % (s["slow_right"], s["slow_closed"]) for s in seen),
                sum(s["conflated"] for s in seen), ", ".join("%+d" % (g // 1024) for g in grown)),
            fine and lost == 0 and max(grown) <= RSS_SLACK)]


def closed(server):
    """They are sent messages, of which none replaces another: who does not read is closed 1013. The first time their queues
    touch pages that nobody had used: a part of the budget that the server reserved when it started."""
    quiet, attacked, grown, seen = [], [], [], []
    args = ["--port", server.port, "--clients", CLIENTS, "--slow", SLOW, "--rate", RATE, "--first", 0, "--dialect", "follower"]

    def messages():
        others.ask("mark")
        broadcast(server.port, MESSAGES)
        return others.ask("mark")["heard_p99_ns"]

    with place.Generator("others", *args) as others:
        others.line()
        messages()
        for _ in range(ROUNDS - 1):
            quiet.append(messages())
            rss = place.rss_bytes(server.pid)
            others.ask("deaf")
            attacked.append(messages())
            grown.append(place.rss_bytes(server.pid) - rss)
            others.ask("hear")
            seen.append(others.ask("last"))
            others.ask("reopen")
        others.tell("end")
        lost = others.line()["lost"]
        others.end()
    ratio, more, text = judged(quiet, attacked)
    return [
        Row("S6", "1,000 of 10,000 stop reading while %d messages of 1 KiB go to all at once: p99 of the others' changes" % MESSAGES,
            "<= 1.25x the same with all reading", text, ratio <= 1.25),
        Row("S6", "what became of the slow ones, in each of %d rounds" % (ROUNDS - 1),
            "0 changes lost to the others; each slow one closed (1013); RSS +0 (to 64 KiB) but for the first time",
            "%d lost; %s; RSS %s KiB" % (
                lost, ", ".join("%d closed, %d of them told 1013" % (s["slow_closed"], s["slow_closed_1013"]) for s in seen),
                ", ".join("%+d" % (g // 1024) for g in grown)),
            lost == 0 and all(s["slow_closed"] == SLOW for s in seen) and max(grown[1:]) <= RSS_SLACK)]


def measure():
    options = [*place.QUIET, "--max-connections", "15000", "--presence-rate", "0"]
    rows = []
    for part in (conflated, closed):
        with place.server(*options) as server:
            rows += part(server)
    return rows

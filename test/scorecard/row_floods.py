TITLE = "S15: floods that cost the processor: JSON, ids that collide, bad tokens"
import base64, json, os, random, statistics, tempfile, time
from lib import place, tokens
from lib.row import Row

OTHERS, RATE, PINGS, SECONDS, ROUNDS = 100, 100, 1000, 1.2, 3
PER_SECOND, TOKENS = 10000, 8000
ids_that_collide = {}


def deep():
    """Nested far deeper than may be."""
    return ['{"type":"ping","a":' + "[" * 2000 + "]" * 2000 + "}"]


def shallow():
    """As deep as may be, again and again."""
    return ['{"type":"ping","a":[' + ",".join(["[" * 10 + "]" * 10] * 90) + "]}"]


def long():
    """One string of 4 KiB, each of its letters escaped."""
    return ['{"type":"ping","a":"' + "\\u00e9" * 680 + '"}']


def keys():
    """Members in no order: a name that comes twice would have to be found."""
    names = ["k%d" % i for i in range(450)]
    random.Random(1).shuffle(names)
    return ['{"type":"ping",' + ",".join('"%s":0' % n for n in names) + "}"]


def huge():
    """64 KiB a message: as large as it may be."""
    return ['{"type":"ping","a":[' + ",".join(['"' + "\\n" * 1000 + '"'] * 32) + "]}"]


def collide():
    """Rooms come and go whose ids all fall into one slot of base/map, if its key were the one that they were chosen by."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "ids")
        ids_that_collide.update(place.generate("collide", path, 4000, 13))
        with open(path) as f:
            return [json.dumps({"type": what, "channel_id": line.strip()}) for line in f for what in ("subscribe", "unsubscribe")]


def part(value):
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=").decode()


def bad_tokens(algorithm, signature_bytes):
    """Each with a signature of its own that is as long as a good one, and wrong."""
    chance = random.Random(1)
    for i in range(TOKENS):
        signature = b"\0" + bytes(chance.getrandbits(8) for _ in range(signature_bytes - 1))
        token = ".".join((part({"alg": algorithm, "typ": "JWT"}), part({"sub": "user-%d" % i, "exp": int(time.time()) + 3600}), part(signature)))
        yield "GET /nobody HTTP/1.1\\r\\nHost: a\\r\\nAuthorization: Bearer %s\\r\\n\\r\\n" % token


def rs256():
    return bad_tokens("RS256", 256)


def hs256():
    return bad_tokens("HS256", 32)


# what, its messages, how many a second, of whether it is requests
KINDS = [
    ("JSON nested 2,000 deep, 4 KiB", deep, PER_SECOND, False), ("JSON nested 12 deep 90 times over, 2 KiB", shallow, PER_SECOND, False),
    ("a string of 4 KiB, all escapes", long, PER_SECOND, False), ("an object of 450 members, 4 KiB", keys, PER_SECOND, False),
    ("messages of 64 KiB, all escapes (1,000/s)", huge, 1000, False), ("rooms whose ids collide under another key", collide, PER_SECOND, False),
    ("RS256 tokens with bad signatures", rs256, PER_SECOND, True), ("HS256 tokens with bad signatures", hs256, PER_SECOND, True),
]


def read_by(server, raw):
    """What the server has read, of requests or of messages: what is said may lie in sockets."""
    return place.metric(server.port, "presenced_http_requests_total" if raw else "ws_messages_received")


def tried(what, messages, rate, raw, directory):
    path = os.path.join(directory, "messages")
    with open(path, "w") as f:
        f.writelines(m + "\n" for m in messages())
    options, others_options = [], []
    if raw:
        file, key = tokens.rs256(200)
        secret = os.path.join(directory, "secret")
        with open(secret, "w") as f:
            f.write("0123456789abcdef0123456789abcdef")
        os.chmod(secret, 0o644)
        options, others_options = ["--jwt-key-file", key, "--jwt-secret-file", secret], ["--tokens", file, "--first", 0]
    quiet, flooded, cpu, seen, read = [], [], [], [], []
    with place.server(*place.QUIET, *options) as server, \
            place.Generator("others", "--port", server.port, "--clients", OTHERS, "--rate", RATE, "--pings", PINGS, *others_options) as others:
        others.line()

        def stretch():
            others.ask("mark")
            time.sleep(SECONDS)
            return others.ask("mark")

        quiet.append(stretch())
        for _ in range(ROUNDS):
            with place.Generator("flooder", "--port", server.port, "--messages", path, "--rate", rate, "--raw", int(raw),
                                 "--polite", int(not raw)) as flooder:
                time.sleep(0.5)
                flooder.ask("mark")
                cpu_s, count = place.cpu_s(server.pid), read_by(server, raw)
                flooded.append(stretch())
                cpu.append((place.cpu_s(server.pid) - cpu_s) / SECONDS)
                seen.append(flooder.ask("mark"))
                read.append((read_by(server, raw) - count) / SECONDS - (0 if raw else RATE + PINGS))
            quiet.append(stretch())
        turn = place.metric(server.port, "presenced_turn_seconds_max") * 1e3
        others.ask("end")
    between = [(a["heard_p99_ns"] + b["heard_p99_ns"]) / 2 for a, b in zip(quiet, quiet[1:])]
    ratio = statistics.median(f["heard_p99_ns"] / q for q, f in zip(between, flooded))
    stall = statistics.median(f["pongs_max_ns"] for f in flooded)
    calm = statistics.median(q["pongs_max_ns"] for q in quiet)
    said = statistics.median(s["said"] / SECONDS for s in seen)
    return Row("S15", what, "%d/s; stall: a ping each ms waits < 10 ms at most; p99 of %d others <= 2x quiet" % (rate, OTHERS),
               "%.0f/s, %.0f read (%d closed, %d refused), CPU %.0f %%; the longest wait %s (quiet %s), the longest turn %.1f ms; p99 %.2fx, quiet %s, flooded %s%s" % (
                   said, statistics.median(read), sum(s["ended"] for s in seen), sum(s["refused"] for s in seen), statistics.median(cpu) * 100, place.ms(stall),
                   place.ms(calm), turn, ratio, place.ms(statistics.median(between)),
                   place.ms(statistics.median(f["heard_p99_ns"] for f in flooded)),
                   "; the longest walk in a map: %d under the key they were chosen by, %d under another" % (
                       ids_that_collide["walk_known"], ids_that_collide["walk_drawn"]) if messages is collide else ""),
               stall < 10e6 and ratio <= 2 and said >= rate * 0.9 and
               (messages is rs256 or statistics.median(read) >= rate * 0.9))  # of RSA a turn verifies only so many: the rest waits


def measure():
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        for kind in KINDS:
            rows.append(tried(*kind, directory))
    return rows

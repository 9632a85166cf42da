"""test/bench/cluster.py: the figures of test/bench/run that need several nodes and a Redis between them: how soon and how often a
change of presence on one node reaches clients of others, what it and mere being there cost in commands, what a node costs that
hosts nobody interested. Redis and all nodes share core 0; relay.c, which is all clients, polls on core 1."""
import collections, contextlib, http.client, re, socket, statistics, subprocess, threading, time

READY_SECONDS = 15
TTL, IDLE_USERS, IDLE_SECONDS = 10, 1000, 15
REMOTE_USERS = 10000
RATE = 1000
FIRST_STEP = 1000  # users of one run; those of the next are new, and whoever left is offline by then
# Further than what keeps a server quiet.
SETTINGS = ["--max-connections", "12000", "--presence-rate", "0", "--audience", "all", "--offline-debounce", "50ms",
            "--client-buffer", "8192", "--client-buffer-bytes", "4m"]
SEEDS = {"on": ("set", "publish"), "off": ("publish",)}  # of seeds 002 and 003, per change: the key, and presence:updates


class Trouble(Exception):
    pass


# --- Redis ---

class Redis:
    """One redis-server that keeps nothing, on core 0."""

    def __init__(self, server_class, port):
        self.port = port
        self.server = server_class(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
                                   port)
        self.pid = self.server.child.pid

    def ask(self, line):
        """What a bulk string answers."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as s, s.makefile("rb") as f:
            s.sendall(line + b"\r\n")
            return f.read(int(f.readline()[1:])).decode()

    def calls(self):
        """By command; INFO is ours."""
        found = re.findall(r"cmdstat_(\S+?):calls=(\d+)", self.ask(b"INFO commandstats"))
        return collections.Counter({name: int(n) for name, n in found if name not in ("info", "echo")})


class Monitor:
    """Which commands came between relay's words `begin` and `end`, by what they were about."""

    def __init__(self, redis):
        self.socket = socket.create_connection(("127.0.0.1", redis.port), 5)
        self.socket.sendall(b"MONITOR\r\n")
        self.lines = self.socket.makefile("rb")
        self.lines.readline()
        self.seen, self.counting, self.over = collections.Counter(), False, threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(OSError, ValueError):
            for line in self.lines:
                words = re.findall(r'"((?:[^"\\]|\\.)*)"', line.decode(errors="replace"))
                name = words[0].upper() if words else ""
                if name == "ECHO":
                    self.counting = words[1] == "begin"
                    if not self.counting:
                        break
                elif self.counting and name != "INFO":
                    about = words[1] if len(words) > 1 and len(words[1]) < 200 else ""
                    self.seen[name + " " + re.sub(r"(presence|typing|presenced:node|presenced:room):(?!updates).*", r"\1:*", about)] += 1
        self.over.set()

    def close(self):
        self.over.wait(5)
        self.socket.close()
        return self.seen


# --- nodes ---

def get(port, path):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        c.request("GET", path)
        answer = c.getresponse()
        return answer.status, answer.read().decode()
    finally:
        c.close()


class Rig:
    """`count` nodes, and a Redis between them unless there is but one; all know of each other when the constructor returns."""

    def __init__(self, bench, server_class, free_port, count, *options, alone=False):
        self.bench, self.servers, self.ports, self.redis, self.first = bench, [], [], None, 0
        try:
            if not alone:
                self.redis = Redis(server_class, free_port())
            for i in range(count):
                port = free_port()
                more = [] if alone else ["--node-id", "n%d" % i, "--redis-url", "redis://127.0.0.1:%d" % self.redis.port]
                argv = bench.presenced("", [*SETTINGS, *options], port) + more
                self.ports.append(port)
                self.servers.append(server_class(argv, port))
            for port in self.ports if not alone else []:
                self._wait(port, count)
        except FileNotFoundError as e:
            self.close()
            raise Trouble("%s is not there" % e.filename)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _wait(port, count):
        until = time.monotonic() + READY_SECONDS
        while get(port, "/ready")[0] != 200 or "presenced_nodes %d\n" % count not in get(port, "/metrics")[1]:
            if time.monotonic() > until:
                raise Trouble("a node did not become ready within %d s" % READY_SECONDS)
            time.sleep(0.02)

    def words(self):
        out = []
        for port, server in zip(self.ports, self.servers):
            out += ["--node", "%d,%d" % (port, server.child.pid)]
        return out + (["--redis", "%d,%d" % (self.redis.port, self.redis.pid)] if self.redis else [])

    def load(self, line, *more):
        self.first += FIRST_STEP
        try:
            return self.bench.load(line, *self.words(), "--first", self.first, *more, program="relay")
        except Exception as e:
            raise Trouble("%s\n%s" % (e, "\n".join(s.said() for s in self.servers))) from None

    @contextlib.contextmanager
    def hold(self, line):
        """Users that are connected and silent for as long as the block lasts."""
        child = subprocess.Popen([self.bench.tool("relay"), "hold", *line.split(), *self.words()], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
        try:
            if child.stdout.readline() != b"ready\n":
                raise Trouble("relay hold: exit %s\n%s" % (child.wait(), "\n".join(s.said() for s in self.servers)))
            yield
        finally:
            child.stdin.close()
            child.wait()

    def close(self):
        for server in self.servers:
            server.stop()
        if self.redis:
            self.redis.server.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# --- tables ---

def ms(ns):
    return "%.3f" % (ns / 1e6)


def middle(values, form="%.2f"):
    """Median [least most]."""
    values = list(values)
    return "%s [%s %s]" % tuple(form % v for v in (statistics.median(values), min(values), max(values)))


def busiest(got, count):
    """Of all processes: name and CPU us for each change that was done."""
    costs = {"redis": got["redis_cpu_ns"]} if got.get("redis_cpu_ns") else {}
    costs.update({"node %d" % i: got["cpu%d_ns" % i] for i in range(count)})
    name = max(costs, key=costs.get)
    return name, costs[name] / 1e3 / max(1, got["per_second"] * got["wall_ns"] / 1e9)


def total(got, count):
    """CPU us of all processes for each change that was done."""
    return (got["redis_cpu_ns"] + sum(got["cpu%d_ns" % i] for i in range(count))) / 1e3 / max(
        1, got["per_second"] * got["wall_ns"] / 1e9)


def commands(got):
    return collections.Counter({k[4:]: v for k, v in got.items() if k.startswith("cmd_")})


class Cluster:
    def __init__(self, bench, server_class, free_port, rounds):
        self.bench, self.server_class, self.free_port, self.rounds = bench, server_class, free_port, rounds
        self.seconds = min(0.5, bench.options.seconds)
        self.counted = []  # (keys, what, result): for the table of commands

    def rig(self, count, *options, **more):
        return Rig(self.bench, self.server_class, self.free_port, count, *options, **more)

    def many(self, once):
        """That many clean rounds of it, half as many more at most; ([results], words about spoiled ones)."""
        good, spoiled = [], []
        for _ in range(self.rounds + (self.rounds + 1) // 2):
            got = once()
            (good if all(self.bench.clean({"x": g}) for g in got.values() if "foreign_load_pct" in g) else spoiled).append(got)
            if len(good) == self.rounds:
                break
        enough = 2 * len(good) > self.rounds
        return (good if enough else good + spoiled), (" (%s%d spoiled)" % ("" if enough else "~", len(spoiled)) if spoiled else "")

    # 1
    def latency_once(self):
        run, got = ["--seconds", self.seconds], {}
        with self.rig(1, alone=True) as rig:
            got["alone"] = rig.load("load", *run)
        for keys in ("on", "off"):
            with self.rig(2, "--redis-keys", keys) as rig:
                got["floor"] = rig.load("floor", *run)
                got[keys] = rig.load("load --speaking 1 --watching 2", *run)
            self.counted.append((keys, "1 at a time, 2 nodes", got[keys]))
        return got

    def show_latency(self):
        print("\nA change of presence on one of 2 nodes, one at a time, until a client of another node, and one of the same, has read it;")
        print("beside that: a node alone without Redis, and PUBLISH to message through this redis-server. p50 / p99 in ms, medians of")
        print("%d; ratio: to alone + PUBLISH, median of the rounds' own [least most].\n" % self.rounds)
        print("%-10s %-15s %-15s %-15s %-15s %-18s %-18s" % ("redis-keys", "other node", "same node", "alone", "PUBLISH", "ratio p50",
                                                           "ratio p99"))
        rounds, spoiled = self.many(self.latency_once)
        for keys in ("on", "off"):
            cells = []
            for side, part in ((keys, "far"), (keys, "near"), ("alone", "near"), ("floor", "near")):
                cells.append(" / ".join(ms(statistics.median(r[side]["%s_%s_ns" % (part, q)] for r in rounds)) for q in ("p50", "p99")))
            ratios = [middle(r[keys]["far_%s_ns" % q] / (r["alone"]["near_%s_ns" % q] + r["floor"]["near_%s_ns" % q])
                             for r in rounds) for q in ("p50", "p99")]
            print("%-10s %-15s %-15s %-15s %-15s %-18s %-18s%s" % (keys, *cells, *ratios, spoiled), flush=True)

    # 2
    def rates_once(self, rows):
        run = ["--seconds", self.seconds]
        got = {}
        with self.rig(1, alone=True) as rig:
            for name, nodes, line in rows:
                if nodes == 1:
                    got[name] = rig.load(line, *run)
        for keys in ("on", "off"):
            with self.rig(3, "--redis-keys", keys) as rig:
                for name, nodes, line in rows:
                    if nodes == 3 and name.endswith(", keys off") == (keys == "off"):
                        got[name] = rig.load(line, *run)
        return got

    def show_rates(self):
        three = "load --speaking 3 --watching 3 --changers %d%s"
        rows = [("1 alone, 1,000/s", 1, "load --changers 600 --rate 1000"), ("1 alone, 192 outstanding", 1, "load --changers 192"),
                ("3 nodes, 1,000/s", 3, three % (200, " --rate 1000")), ("3 nodes, 3 outstanding", 3, three % (1, "")),
                ("3 nodes, 48 outstanding", 3, three % (16, "")), ("3 nodes, 192 outstanding", 3, three % (64, "")),
                ("3 nodes, 768 outstanding", 3, three % (256, "")), ("3 nodes, 192, keys off", 3, three % (64, ""))]
        print("\nChanges of presence a second that a watcher of each node heard, all processes on one core; ms from the change to a watcher,")
        print("p50 / p99 (of another node, if there is one); CPU us of each process per change. `of own`: what the busiest process would do")
        print("with a core of its own. Medians of %d [least most]; unheard: overtaken by the same user's next, or lost.\n" % self.rounds)
        print("%-26s %-24s %8s %-17s %-17s %8s %8s %s" % ("", "changes/s", "unheard", "ms", "CPU us a node", "redis", "of own", "busiest"))
        rounds, spoiled = self.many(lambda: self.rates_once(rows))
        for name, nodes, _ in rows:
            all_ = [r[name] for r in rounds]
            if nodes == 3:
                outstanding = name.split(", ")[1].split()[0]
                self.counted += [("off" if "keys off" in name else "on", outstanding + " outstanding, 3 nodes", g)
                                 for g in all_ if "/s" not in name and outstanding != "3"]
            part = "far" if nodes > 1 else "near"
            done = lambda g: max(1, g["per_second"] * g["wall_ns"] / 1e9)
            node_us = [sum(g["cpu%d_ns" % i] for i in range(nodes)) / nodes / 1e3 / done(g) for g in all_]
            redis_us = statistics.median(g["redis_cpu_ns"] / 1e3 / done(g) for g in all_)
            who = collections.Counter(busiest(g, nodes)[0].split()[0] for g in all_).most_common(1)[0][0]
            own = "%d" % statistics.median(1e6 / busiest(g, nodes)[1] for g in all_)
            print("%-26s %-24s %8d %-17s %-17s %8s %8s %s%s" % (
                name, middle([g["per_second"] for g in all_], "%d"), max(g["overtaken"] + g["lost"] for g in all_),
                " / ".join(ms(statistics.median(g["%s_%s_ns" % (part, q)] for g in all_)) for q in ("p50", "p99")),
                middle(node_us, "%.1f"), "%.1f" % redis_us if nodes > 1 else "-",
                "-" if "/s" in name else own, who, spoiled), flush=True)
        of, alone = "3 nodes, 192 outstanding", "1 alone, 192 outstanding"
        ratios = [middle(f(r[of], 3) / f(r[alone], 1) for r in rounds)
                  for f in (lambda g, _: g["per_second"], lambda g, n: busiest(g, n)[1], total)]
        print("3 nodes / 1 alone, 192 outstanding: changes/s %s, CPU per change of the busiest process %s, of all four %s" % tuple(
            ratios), flush=True)

    # 3
    def show_commands(self):
        print("\nRedis commands per change of status (INFO commandstats); `beside`: without those that the seeds name, which are SET of the")
        print("key (redis-keys=on) and PUBLISH on presence:updates. Medians [least most].\n")
        print("%-10s %-28s %9s %6s %8s %8s  %s" % ("redis-keys", "", "changes", "SET", "PUBLISH", "others", "beside"))
        for keys, what in dict.fromkeys((k, w) for k, w, _ in self.counted):
            each = [(commands(g), g["changes"]) for k, w, g in self.counted if (k, w) == (keys, what)]
            per = lambda *names: statistics.median(sum(c[n] for n in names) / n_ for c, n_ in each)
            print("%-10s %-28s %9d %6.2f %8.2f %8.2f  %s" % (
                keys, what, statistics.median(n for _, n in each), per("set"), per("publish"),
                statistics.median((sum(c.values()) - c["set"] - c["publish"]) / n for c, n in each),
                middle(sum(c.values()) / n - len(SEEDS[keys]) for c, n in each)), flush=True)
        for keys in ("on", "off"):
            with self.rig(2, "--redis-keys", keys) as rig:
                monitor = Monitor(rig.redis)
                got = rig.load("load --speaking 1 --watching 2 --seconds 0.3")
                seen = monitor.close()
            print("redis-keys=%s, 1 at a time, as MONITOR shows %d changes: %s" % (keys, got["changes"], ", ".join(
                "%s %.2f" % (name, n / got["changes"]) for name, n in seen.most_common())), flush=True)

    # 4
    def show_idle(self):
        print("\nRedis commands in %d s of %d users that are connected to one of 2 nodes and silent, presence-ttl=%ds; per user and half a TTL,"
              % (IDLE_SECONDS, IDLE_USERS, TTL))
        print("beside two nodes without users, in the same %d s.\n" % IDLE_SECONDS)
        print("%-10s %7s  %10s  %s" % ("redis-keys", "users", "per user", "commands"))
        with contextlib.ExitStack() as stack:
            rigs = []
            for keys, users in (("off", 0), ("off", IDLE_USERS), ("on", IDLE_USERS)):
                rig = stack.enter_context(self.rig(2, "--redis-keys", keys, "--presence-ttl", "%ds" % TTL))
                if users:
                    stack.enter_context(rig.hold("--changers %d" % users))
                rigs.append((keys, users, rig))
            time.sleep(3)
            before = [rig.redis.calls() for _, _, rig in rigs]
            time.sleep(IDLE_SECONDS)
            got = [rig.redis.calls() - b for (_, _, rig), b in zip(rigs, before)]
        for (keys, users, _), calls in zip(rigs, got):
            each = (sum(calls.values()) - sum(got[0].values())) / users / (IDLE_SECONDS / (TTL / 2)) if users else 0
            print("%-10s %7d  %10s  %s" % (keys, users, "%.2f" % (round(each, 2) + 0.0) if users else "-", ", ".join(
                "%s %d" % c for c in calls.most_common())), flush=True)

    # 5
    def interest_once(self, audience):
        with self.rig(3, "--audience", audience) as rig:
            run, at = ["--seconds", self.seconds], "load --speaking 2 --watching 2 --changers 500"
            return {"nothing": self.still(rig),
                    "changes": rig.load(at + " --rate %d" % RATE, *run),
                    "messages": rig.load(at + " --rate 1 --messages %d" % RATE, *run),
                    "both": rig.load(at + " --rate %d --messages %d" % (RATE, RATE), *run)}

    def still(self, rig):
        return rig.load("load --speaking 2 --watching 2 --rate 1", "--seconds", self.seconds)

    def show_interest(self):
        print("\nPercent of a core, %d changes of presence and %d messages a second in rooms on 2 of 3 nodes; the third hosts nobody. Medians"
              % (RATE, RATE))
        print("of %d [least most]; heard: of the messages, by the room's member on the other node.\n" % self.rounds)
        print("%-10s %-10s %-20s %-20s %8s %8s" % ("audience", "", "third node", "each of the two", "redis", "heard"))
        for audience in ("all", "rooms"):
            rounds, spoiled = self.many(lambda: self.interest_once(audience))
            for what in rounds[0]:
                all_ = [r[what] for r in rounds]
                pct = lambda ns, g: 100 * ns / g["wall_ns"]
                print("%-10s %-10s %-20s %-20s %8.2f %8s%s" % (
                    audience, what, middle(pct(g["cpu2_ns"], g) for g in all_),
                    middle(pct(g["cpu0_ns"] + g["cpu1_ns"], g) / 2 for g in all_),
                    statistics.median(pct(g["redis_cpu_ns"], g) for g in all_),
                    "%.1f %%" % (100 * sum(g["heard"] for g in all_) / sum(g["said"] for g in all_)) if all_[0]["said"] else "-",
                    spoiled), flush=True)

    # 6
    def show_memory(self):
        print("\nResident bytes per user of %d silent ones, each in a room of 100: at the node that hosts them, and at the other one.\n"
              % REMOTE_USERS)
        print("%-10s %10s %10s" % ("audience", "hosting", "other"))
        for audience in ("all", "rooms"):
            with self.rig(2, "--audience", audience) as rig:
                time.sleep(0.3)
                before = [s.memory()["VmRSS"] for s in rig.servers]
                with rig.hold("--changers %d --rooms %d --watching 0" % (REMOTE_USERS, REMOTE_USERS // 100)):
                    self.wait_heard(rig.ports[1])
                    each = [(s.memory()["VmRSS"] - b) / REMOTE_USERS for s, b in zip(rig.servers, before)]
            print("%-10s %10d %10d" % (audience, *each), flush=True)

    @staticmethod
    def wait_heard(port):
        """Until the node has heard of all."""
        until = time.monotonic() + READY_SECONDS
        while True:
            heard = re.search(r"^presenced_cluster_users_heard_total (\d+)$", get(port, "/metrics")[1], re.M)
            if heard and int(heard[1]) >= REMOTE_USERS:
                return time.sleep(0.5)
            if time.monotonic() > until:
                raise Trouble("the other node has heard of %s users" % (heard and heard[1]))
            time.sleep(0.05)


def show(bench, server_class, free_port, rounds, quick):
    """Prints all of it, if quick without those that take long to idle; how many tables failed."""
    c, failed = Cluster(bench, server_class, free_port, rounds), 0
    for name, table in (("latency", c.show_latency), ("rates", c.show_rates), ("commands", c.show_commands), ("idle", c.show_idle),
                        ("interest", c.show_interest), ("memory", c.show_memory)):
        if quick and name == "idle":
            continue
        try:
            table()
        except Exception as e:
            failed += 1
            print("%s failed: %s" % (name, e), flush=True)
    return failed

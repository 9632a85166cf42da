TITLE = "S13: descriptors run out"
import heapq, http.client, os, re, resource, select, socket, statistics, threading, time
from lib import place
from lib.row import Row
from server import upgrade

LIMIT, DIALERS, OTHERS, RATE, SECONDS, ROUNDS = 1100, 5000, 100, 100, 3, 3
RUSH_SECONDS, GIVEN_UP_SECONDS = 2, 5
RESET = b"\1\0\0\0\0\0\0\0"


class Dialers(threading.Thread):
    """So many dial at once, ask for an upgrade and stay; who is refused dials again after the Retry-After that it was told, who
    gets no answer when the connection ends, after 5 s."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.inside, self.refused, self.over, self.fault = port, 0, 0, False, None
        self.epoll, self.held, self.asked, self.again = select.epoll(), {}, {}, []
        self.start()

    def dial(self, i):
        s = socket.socket()
        s.setblocking(False)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        s.bind(("127.0.2.%d" % (1 + i % 50), 0))
        s.connect_ex(("127.0.0.1", self.port))
        self.held[s.fileno()] = (s, i)
        self.epoll.register(s.fileno(), select.EPOLLOUT | select.EPOLLET)

    def leave(self, fd, seconds):
        s, i = self.held.pop(fd)
        self.asked.pop(fd, None)
        self.epoll.unregister(fd)
        s.close()
        heapq.heappush(self.again, (time.monotonic() + seconds, i))

    def event(self, fd):
        s, i = self.held[fd]
        if fd not in self.asked:
            try:
                s.send(upgrade("/ws?dialect=dotted&user_id=dialer-%d" % i))
            except OSError:
                return self.leave(fd, GIVEN_UP_SECONDS)
            self.asked[fd] = True
            self.epoll.modify(fd, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)
            return None
        try:
            data = s.recv(4096)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if b" 101 " in data[:16]:
            self.inside += 1
        elif not data or data.startswith(b"HTTP"):
            told = re.search(rb"(?i)retry-after: *(\d+)", data)
            self.refused += bool(told)
            return self.leave(fd, int(told[1]) if told else GIVEN_UP_SECONDS)
        return None

    def run(self):
        try:
            for i in range(DIALERS):
                self.dial(i)
            while not self.over:
                for fd, _ in self.epoll.poll(0.05, 256):
                    self.event(fd)
                while self.again and self.again[0][0] < time.monotonic() and not self.over:
                    self.dial(heapq.heappop(self.again)[1])
        except Exception as e:
            self.fault = "%s: %s" % (type(e).__name__, e)

    def go(self):
        """All leave, with a reset."""
        self.over = True
        self.join()
        for s, _ in self.held.values():
            s.close()
        self.epoll.close()
        assert self.fault is None, self.fault


class Health(threading.Thread):
    """Asks /live now and then: on a connection of its own each time, or on one that it keeps."""

    def __init__(self, port, keep):
        super().__init__(daemon=True)
        self.port, self.keep, self.good, self.bad, self.slowest, self.over = port, keep, 0, 0, 0, threading.Event()
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        self.ask()
        self.start()

    def ask(self):
        began = time.monotonic()
        try:
            self.connection.request("GET", "/live")
            answer = self.connection.getresponse()
            answer.read()
            self.good, self.bad = self.good + (answer.status == 200), self.bad + (answer.status != 200)
        except (OSError, http.client.HTTPException):
            self.bad += 1
            self.connection.close()
        self.slowest = max(self.slowest, time.monotonic() - began)
        if not self.keep:
            self.connection.close()

    def run(self):
        while not self.over.wait(0.2):
            self.ask()

    def end(self):
        self.over.set()
        self.join()
        self.connection.close()


def stretch(others):
    others.ask("mark")
    time.sleep(SECONDS)
    return others.ask("mark")["heard_p99_ns"]


def gets_in(port):
    """Tried anew each time: a kernel whose SYN was dropped says it again only after a second."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.2) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            s.sendall(upgrade("/ws?dialect=dotted&user_id=late"))
            return b" 101 " in s.recv(4096)[:16]
    except OSError:
        return False


def tried(what, keep, starve):
    quiet, crowded, cpu, recovered, inside, refused, healths = [], [], [], [], 0, 0, []
    stay_root = ["--user", "root"] if os.geteuid() == 0 else []  # so that its limit can be changed
    with place.server(*place.QUIET, *stay_root, files=LIMIT) as server, \
            place.Generator("others", "--port", server.port, "--clients", OTHERS, "--rate", RATE) as others:
        others.line()
        health = Health(server.port, keep)
        if starve:
            room = len(os.listdir("/proc/%d/fd" % server.pid)) + 10
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (room, room))
        quiet.append(stretch(others))
        for _ in range(ROUNDS):
            dialers = Dialers(server.port)
            time.sleep(RUSH_SECONDS)
            before, began = place.cpu_s(server.pid), time.monotonic()
            crowded.append(stretch(others))
            cpu.append((place.cpu_s(server.pid) - before) / (time.monotonic() - began))
            inside, refused = inside + dialers.inside, refused + dialers.refused
            dialers.go()
            recovered.append(place.soon(lambda: gets_in(server.port), 10))
            quiet.append(stretch(others))
        before, began = place.cpu_s(server.pid), time.monotonic()
        quiet.append(stretch(others))
        idle = (place.cpu_s(server.pid) - before) / (time.monotonic() - began)
        health.end()
        others.ask("end")
    between = [(a + b) / 2 for a, b in zip(quiet, quiet[1:])]
    ratio = statistics.median(c / q for q, c in zip(between, crowded))
    share, late = statistics.median(cpu), max(10 if r is None else r for r in recovered)
    return [
        Row("S13", "%s, %d dialers: CPU that they cost the server" % (what, DIALERS), "< 5 %", "%.1f %% (%.1f %% with them, %.1f %% without); of the dialers %d got in and %d were refused "
            "in %d rounds" % ((share - idle) * 100, share * 100, idle * 100, inside, refused, ROUNDS), share - idle < 0.05),
        Row("S13", "p99 of %d who were there, %d events/s" % (OTHERS, RATE), "<= 1.2x quiet", "%.2fx; quiet %s, meanwhile %s" % (
            ratio, place.ms(statistics.median(between)), place.ms(statistics.median(crowded))), ratio <= 1.2),
        Row("S13", "GET /live all the time, %s" % ("on a connection that is kept" if keep else "each on a new connection"), "always answered",
            "%d answered 200, %d not; the slowest took %.0f ms" % (health.good, health.bad, health.slowest * 1e3), health.bad == 0),
        Row("S13", "from the dialers' leaving to a newcomer's upgrade", "<= 1 s", "%s s" % ", ".join("%.2f" % r if r is not None else "> 10" for r in recovered),
            late <= 1)]


def measure():
    return tried("limit of %d descriptors" % LIMIT, False, False) + tried("no descriptor left (EMFILE)", True, True)

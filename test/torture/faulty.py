"""build/presenced.faulty from outside: what can be failed, what was called, and one run of it as a server or as a command."""
import ctypes, os, re, resource, signal, socket, struct, subprocess, tempfile, time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
SITES_MAX, VERSION = 512, 0x46415531  # as in faulty.c
WRONG = re.compile(r"Assertion|Sanitizer|runtime error:|presenced\.faulty:|stack smashing")
LISTEN_S, END_S = 5, 15


# Which errors of read() and write() are of what: on a pipe that waits nothing ever fails while both ends are open.
SOCKET, PIPE, PATIENT_PIPE, FILE, DEVICE, OTHER = 1, 2, 4, 8, 16, 32
OF_KIND = {"ECONNRESET": SOCKET, "ECONNREFUSED": SOCKET, "ETIMEDOUT": SOCKET, "EPIPE": SOCKET, "EIO": FILE | DEVICE, "ENOSPC": FILE,
           "EAGAIN": SOCKET | PIPE | DEVICE | OTHER, "short": SOCKET | FILE | DEVICE}


class Table:
    """calls.def as the program has it."""

    def __init__(self, binary):
        out = subprocess.run([binary], env={"FAULTY": "table"}, stdout=subprocess.PIPE, check=True).stdout.decode()
        self.rows = [line.split() for line in out.splitlines()]
        self.names = [row[0] for row in self.rows]

    def whats(self, site):
        """All that can go wrong there: errnos, short, delay."""
        row = self.rows[self.names.index(site.call)]
        all = row[2:] + (["short"] if row[1] == "CUT" else []) + ["delay=200"]
        return [what for what in all if not site.kinds or what not in OF_KIND or site.kinds & OF_KIND[what]]


class Site:
    """One place in the program that calls."""

    def __init__(self, call, kinds, offset, count, first, last):
        self.call, self.kinds, self.offset, self.count, self.first, self.last = call, kinds, offset, count, first, last


class Counts:
    """The file that a run counts in."""

    def __init__(self, names):
        self.names = names
        self.size = 16 + 8 * (len(names) + 1) + 40 * SITES_MAX
        self.file = tempfile.NamedTemporaryFile(prefix="presenced-counts-")
        self.clear()

    path = property(lambda self: self.file.name)

    def clear(self):
        os.ftruncate(self.file.fileno(), 0)
        os.ftruncate(self.file.fileno(), self.size)

    def read(self):
        """({call: how often}, [Site], how many faults were given)."""
        data = os.pread(self.file.fileno(), self.size, 0)
        version, calls, sites, fired = struct.unpack_from("IIII", data)
        if version != VERSION:
            return {}, [], 0
        assert calls == len(self.names)
        of = struct.unpack_from("%dQ" % calls, data, 16)
        at = 16 + 8 * (calls + 1)
        rows = [struct.unpack_from("IIQQQQ", data, at + 40 * i) for i in range(sites)]
        return dict(zip(self.names, of)), [Site(self.names[r[0]], *r[1:]) for r in rows], fired


def environment(fault, counts, **more):
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS")}
    env.setdefault("ASAN_OPTIONS", "detect_leaks=0")  # what a process that ends has is nobody's concern
    env.update(more, FAULTY_COUNTS=counts.path)
    if fault:
        env["FAULTY"] = fault
    return env


def cpu_s(pid):
    try:
        with open("/proc/%d/schedstat" % pid) as f:
            return int(f.read().split()[0]) / 1e9
    except (OSError, IndexError):
        return 0.0


def descriptors(pid):
    """What it has open, each as its target reads."""
    out = []
    try:
        for name in os.listdir("/proc/%d/fd" % pid):
            try:
                out.append(os.readlink("/proc/%d/fd/%s" % (pid, name)))
            except OSError:
                pass
    except OSError:
        pass
    return out


class Refused(Exception):
    """The server did not start: its exit code and what it said."""

    def __init__(self, code, said):
        super().__init__("exit code %d: %s" % (code, said))
        self.code, self.said = code, said


class Hung(Exception):
    pass


libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    libc.prctl(1, signal.SIGKILL)


class Server:
    """presenced.faulty on addresses that are this run's alone."""

    def __init__(self, binary, options, fault, counts, listens, descriptors=None, **env):
        def prepare():
            die_with_parent()
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, 1024))
        counts.clear()
        self.err = tempfile.TemporaryFile(prefix="presenced-err-")
        argv = [binary] + [str(o) for o in options] + [w for l in listens for w in ("--listen", l)]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.err, cwd="/",
                                        env=environment(fault, counts, **env), preexec_fn=prepare)
        self.pid = self.process.pid

    def said(self):
        self.err.seek(0)
        return self.err.read().decode("utf-8", "backslashreplace")

    def wait_listening(self, address):
        limit = time.monotonic() + LISTEN_S
        while True:
            if self.process.poll() is not None:
                raise Refused(self.process.returncode, self.said())
            try:
                socket.create_connection(address, LISTEN_S).close()
                return
            except OSError:
                pass
            if time.monotonic() > limit:
                raise Hung("does not listen within %d s; it said: %s" % (LISTEN_S, self.said()))
            time.sleep(0.002)

    def hup(self):
        self.process.send_signal(signal.SIGHUP)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def ended(self, seconds=END_S):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Hung("still there %d s after SIGTERM" % seconds) from None

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.err.close()

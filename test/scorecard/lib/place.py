"""A server on core 0, with as many descriptors as may be; what is measured of it from outside."""
import os, re, resource, select, socket, subprocess, tempfile, time, urllib.request
from server import ROOT, Server

BUILD = os.path.join(ROOT, "build")
# What keeps a server from throttling, pinging or logging during a measurement; test/bench/run has the same.
QUIET = ["--message-rate", "0", "--log-level", "warning", "--heartbeat-interval", "10m", "--ping-period", "10m",
         "--pong-wait", "11m", "--stale-timeout", "0", "--audience", "rooms"]
# Servers and generators before everybody else's work on this machine, for whoever has to share it (root only); README.md.
FIRST = ["chrt", "-f", "1"] if os.environ.get("SCORECARD_FIRST") else []


def on_core_0(files=None):
    """A prefix for Server(): on core 0, `files` descriptors (default: the hard limit), and gone when this thread is."""
    files = files or resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", "0", "prlimit", "--nofile=%d:%d" % (files, files), *FIRST]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def server(*options, files=None, prefix=(), listen=("",), **more):
    """test/e2e/lib's Server on core 0, whatever its log level. `listen`: what follows each address, such as "tls"; ports stand in
    .ports in that order. `prefix`: further commands that run it, e.g. ["prlimit", "--as=..."]."""
    ports = [free_port() for _ in listen]
    options = list(options)
    for port, suffix in zip(ports, listen):
        options += ["--listen", "127.0.0.1:%d" % port + ("," + suffix if suffix else "")]
    it = Server(*options, prefix=on_core_0(files) + list(prefix), listen=(), listeners=0, **more)
    it.ports, it.tls = ports, ["tls" in suffix.split(",") for suffix in listen]
    if soon(lambda: it.process.poll() is not None or all(answers(p) for p in ports), 10) is None or it.process.poll() is not None:
        it.process.kill()
        raise AssertionError("the server did not start:\n" + it.log()[-2000:])
    return it


def answers(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return s.connect_ex(("127.0.0.1", port)) == 0


def rss_bytes(pid):
    return memory(pid)["VmRSS"]


def memory(pid):
    """Sizes of /proc/PID/status in bytes: VmRSS, RssAnon, VmHWM, VmSize, ..."""
    with open("/proc/%d/status" % pid) as f:
        return {k: int(v.split()[0]) * 1024 for k, v in (line.split(":", 1) for line in f) if v.strip().endswith("kB")}


def cpu_s(pid):
    """Seconds that all threads have run, by the scheduler's clock: user and system time would come in ticks, by sampling."""
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
            total += int(f.read().split()[0])
    return total / 1e9


def fds(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def metrics(port, seconds=5):
    """/metrics as {name with labels: value}."""
    with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=seconds) as answer:
        text = answer.read().decode()
    return {m[1]: float(m[2]) for m in re.finditer(r"^([a-z_:]+(?:\{[^}]*\})?) (\S+)$", text, re.M)}


def metric(port, name, **labels):
    """The sum of the samples of that name which bear these labels."""
    marks = ['%s="%s"' % pair for pair in labels.items()]
    return sum(v for k, v in metrics(port).items() if k.split("{")[0] == name and all(m in k for m in marks))


def program(name):
    """Path of a generator: of test/bench or of this directory."""
    for path in (os.path.join(BUILD, "scorecard", name), os.path.join(BUILD, "bench", name)):
        if os.path.exists(path):
            return path
    raise AssertionError("%s is not built: make scorecard builds it" % name)


def pairs(line):
    """key=value words of a generator's line; numbers as numbers."""
    split = (word.split("=", 1) for word in line.split() if "=" in word)
    return {k: int(v) if v.lstrip("-").isdigit() else v for k, v in split}


class Generator:
    """A generator that runs beside others; it says lines of key=value and may be told lines."""

    def __init__(self, name, *args):
        self.name, self.error = name, tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([*FIRST, program(name)] + [str(a) for a in args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.error, universal_newlines=True, bufsize=1)

    def line(self, seconds=60):
        """The next line's words."""
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            raise AssertionError("%s said nothing for %d s" % (self.name, seconds))
        line = self.process.stdout.readline()
        if not line:
            self.end()
            raise AssertionError("%s ended" % self.name)
        return pairs(line)

    def tell(self, text):
        try:
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self.end()
            raise AssertionError("%s ended" % self.name)

    def ask(self, text, seconds=150):
        """Tells it, and the line that it answers."""
        self.tell(text)
        return self.line(seconds)

    def end(self, seconds=10):
        """Until it ends by itself; its fault is raised."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("%s did not end" % self.name)
        self.error.seek(0)
        said = self.error.read().strip()
        assert code == 0, said[-600:] or "%s: exit %d" % (self.name, code)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.stdout.close()
        self.error.close()


def generate(name, *args, seconds=120):
    """Runs a generator to its end; the words of its first line."""
    with Generator(name, *args) as it:
        words = it.line(seconds)
        it.end(seconds)
    return words


def soon(holds, seconds, step=0.02):
    """Seconds until holds() is true, or None."""
    began = time.monotonic()
    while True:
        if holds():
            return time.monotonic() - began
        if time.monotonic() - began > seconds:
            return None
        time.sleep(step)


def ms(ns):
    return "%.2f ms" % (ns / 1e6)

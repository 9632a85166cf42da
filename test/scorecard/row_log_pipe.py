"""D10: standard error is a pipe that nobody reads, at log-level debug, while clients come and go, each a handful of lines: beside a
server whose lines go to /dev/null, in turn."""
import os, re, select
from lib import place, scene
from lib.row import Row

TITLE = "a log nobody reads"
ROUNDS, SECONDS = 5, 1.5
OPTIONS = ("--log-level", "debug", "--message-rate", "0", "--offline-debounce", "200ms")


def stretch(s):
    """p99 of connect to close, and how many came and went."""
    got = place.generate("load", "connect", "--clients", 50, "--users", 8192, "--dialect", "snake", "--seconds", SECONDS, "--port", s.port,
                         "--pid", s.pid)
    return got["p99_ns"] / 1e6


def drained(fd):
    """What lay in the pipe."""
    got = b""
    while select.select([fd], [], [], 0.3)[0]:
        data = os.read(fd, 65536)
        if not data:
            break
        got += data
    return got


def unread():
    read, write = os.pipe()
    null = os.open("/dev/null", os.O_WRONLY)
    servers = [place.server(*OPTIONS, stderr=fd) for fd in (null, write)]
    os.close(write)
    os.close(null)
    try:
        p99 = [[], []]
        for i in range(ROUNDS):
            for which in ((0, 1), (1, 0))[i % 2]:
                p99[which].append(stretch(servers[which]))
        dropped = place.metric(servers[1].port, "presenced_log_dropped_total")
        worst = place.metric(servers[1].port, "presenced_turn_seconds_max")
        first = drained(read)  # from now on there is room again
        place.generate("load", "connect", "--clients", 5, "--seconds", 0.2, "--dialect", "snake", "--port", servers[1].port)
        again = drained(read)
        lines = len(re.findall(rb"(?m)^level=", first))
        good = dropped > 0 and lines > 0 and b"came online" in again
        quiet, silent = map(scene.middle, p99)
        for s in servers:
            s.terminate()
        codes = [s.process.wait(15) for s in servers]
        return [Row("D10", "stderr a pipe nobody reads, level debug, clients come and go: p99 of connect to close", "1.20 of /dev/null",
                    "%.2f of it: %.2f ms of %.2f ms, medians of %d; longest turn %.1f ms" % (
                        silent / quiet, silent, quiet, ROUNDS, worst * 1e3), silent <= 1.2 * quiet),
                Row("D10", "the same: lines that found no room are counted, and it ends as ever", "all but a pipe full; exit 0",
                    "%d dropped, %d in the pipe, more once it was read; exit %s" % (dropped, lines, codes[1]),
                    good and codes == [0, 0])]
    finally:
        os.close(read)
        for s in servers:
            if s.process.poll() is None:
                s.process.kill()
                s.process.wait()


def measure():
    return scene.played("D10", "a log pipe nobody reads", "p99 1.2x, counted, nothing blocks", unread)

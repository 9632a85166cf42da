TITLE = "S11: 10,000 connect at once"
import statistics, time
import pki
from lib import place, tokens
from lib.row import Row

CROWD, ROOMS, OTHERS, RATE, QUIET_SECONDS = 10000, 500, 1000, 20, 3  # rooms of 20
SERVER = [*place.QUIET, "--max-connections", "15000", "--max-users", "30000"]


class Storm:
    """A crowd that comes and goes beside others who stay."""

    def __init__(self, server, crowd, others):
        self.server, self.crowd, self.others = server, crowd, others
        self.quiet, self.stormy, self.runs = [], [], []

    def quietly(self):
        self.others.ask("mark")
        time.sleep(QUIET_SECONDS)
        return self.others.ask("mark")["heard_p99_ns"]

    def come(self, first=False, seconds=60):
        """All connect; those who were there are reset at the same moment."""
        self.quiet.append(self.quietly())
        cpu = place.cpu_s(self.server.pid)
        if not first:
            self.crowd.ask("drop")
        got = self.crowd.ask("fill %d" % seconds)
        self.stormy.append(self.others.ask("mark")["heard_p99_ns"])
        got["cpu_s"] = place.cpu_s(self.server.pid) - cpu
        self.runs.append(got)
        return got

    def played(self):
        """All come for the first time, then again and again."""
        self.others.line()
        self.come(first=True)
        for _ in range(3):
            self.come()
        self.others.ask("end")
        return self

    def row(self, what, bound_s, runs=None):
        runs = runs or self.runs
        took = statistics.median(r["ms"] for r in runs) / 1e3
        stuck = CROWD - min(r["ready"] for r in runs)
        again = sum(r["refused"] + r["failed"] for r in runs)
        return Row("S11", what, "<= %d s; 0 stuck" % bound_s, "%.1f s (p50 %.1f s, server %.1f s of CPU)%s%s; %d stuck" % (
            took, statistics.median(r["joined_p50_ms"] for r in runs) / 1e3, statistics.median(r["cpu_s"] for r in runs),
            ", %d resumed" % runs[0]["resumed"] if runs[0]["handshakes"] else "", ", %d came again" % again if again else "", stuck),
            took <= bound_s and stuck == 0)

    def others_row(self, what, rounds=slice(None)):
        quiet, stormy = self.quiet[rounds], self.stormy[rounds]
        ratio = statistics.median(s / q for q, s in zip(quiet, stormy))
        return Row("S11", "the p99 of 1,000 others, %d events/s, meanwhile: %s" % (RATE, what), "<= 2x quiet", "%.2fx (%s); quiet %s, storm %s" % (
            ratio, ", ".join("%.2f" % (s / q) for q, s in zip(quiet, stormy)), place.ms(statistics.median(quiet)),
            place.ms(statistics.median(stormy))), ratio <= 2)


def plain():
    file, key = tokens.rs256(CROWD + OTHERS + 10)
    with place.server(*SERVER, "--jwt-key-file", key) as server, \
            place.Generator("others", "--port", server.port, "--clients", OTHERS, "--rate", RATE, "--first", CROWD, "--tokens", file) as others, \
            place.Generator("crowd", "--port", server.port, "--clients", CROWD, "--rooms", ROOMS, "--tokens", file) as crowd:
        storm = Storm(server, crowd, others).played()
        return [storm.row("10,000 with RS256 tokens come at once, all users new", 5, storm.runs[:1]),
                storm.row("10,000 with RS256 tokens reconnect at once, median of 3", 5, storm.runs[1:]),
                storm.others_row("RS256")]


def tls():
    files = pki.options(pki.pair("storm"))
    with place.server(*SERVER, *files, listen=("", "tls")) as server, \
            place.Generator("others", "--port", server.port, "--clients", OTHERS, "--rate", RATE, "--first", CROWD) as others, \
            place.Generator("crowd", "--port", server.ports[1], "--clients", CROWD, "--rooms", ROOMS, "--tls", 1, "--resume", 1) as crowd:
        storm = Storm(server, crowd, others).played()
        return [storm.row("10,000 come at once over TLS, full handshakes (ECDSA P-256, X25519)", 20, storm.runs[:1]),
                storm.row("10,000 reconnect at once over TLS, sessions resumed, median of 3", 10, storm.runs[1:]),
                storm.others_row("TLS full", slice(0, 1)), storm.others_row("TLS resumed", slice(1, None))]


def measure():
    return plain() + tls()

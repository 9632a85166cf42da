"""What of src/ the tests and the fuzz corpora reach: runs the programs of build/cov (coverage.mk), reads what clang counted.

	run(programs)         each program counted; {name: exit code}
	replay(target)        the target's committed corpus and past crashes, counted
	Coverage(names)       what the named programs reached together: .files, {path: File}

Lines are those that hold code. A branch is one side of one condition (of `a && b` each of the two has both sides to be seen);
what a macro or an inline function decides counts once, wherever it is used. Asserts are no branches (coverage.mk).
"""
import collections, concurrent.futures, glob, json, os, subprocess, sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
os.chdir(ROOT)
BUILD, PROFILES = "build/cov", "build/cov/profiles"
EVERYTHING = BUILD + "/presenced"  # all of src/ in one file: its map of the sources is the one that is read
JOBS = os.cpu_count() or 1

# Which files are whose parser: what the target is there to reach, all of them taken together.
PARSERS = {
    "http": ["wire/http.c", "wire/uri.c", "wire/handshake.c", "wire/origin.c"],
    "http_response": ["wire/http_response.c", "wire/url.c"],
    "websocket": ["wire/websocket.c", "wire/ws_frame.c"],
    "json": ["base/json.c", "base/jsonesc.c", "base/jsonnum.c", "base/jsonplain.h"],
    "utf8": ["base/utf8.c"],
    "jwk": ["wire/jwk.c"],
    "jwt": ["wire/jwt.c", "wire/jws.c", "base/base64.c"],
    "pem": ["wire/pem.c", "wire/der.c", "wire/spki.c"],
    "resp": ["cluster/resp_guard.c"],
    "redis": ["cluster/redis_vet.c", "cluster/resp_guard.c"],
    "letter": ["cluster/letter_read.c", "cluster/letter_form.c"],
    "seeds": ["cluster/seeds_heard.c"],
    "config": ["config_file.c", "option.c", "option_list.c", "option_value.c", "options.c", "options_auth.c",
               "options_tls.c", "listener.c", "base/units.c", "wire/redis_url.c"],
    "dialect": ["dialect/protocol.c", "dialect/field.c", "dialect/status.c", "dialect/topic.c", "dialect/dotted.c",
                "dialect/rooms.c", "dialect/roster.c", "dialect/snake.c", "dialect/upper.c", "base/rfc3339.c"],
    "certificate": ["net/certificate.c"],
    "tls": ["net/tls_record.c", "net/tls_stream.c", "net/tls_handshake.c", "net/tls_engine.c"],
    "words": ["base/hex.c", "base/units.c", "base/rfc3339.c", "base/base64.c", "wire/uri.c", "wire/origin.c", "wire/url.c",
              "wire/redis_url.c", "server/address.c", "server/forwarded.c"],
    "anchors": ["net/anchors.c"],
    "exchange": ["net/exchange.c"],
    "tls_client": ["net/tls_client.c", "net/leaf.c"],
    "redis_link": ["cluster/redis_link.c", "cluster/redis_way.c", "cluster/redis.c"],
    "cluster": ["cluster/cluster.c", "cluster/nodes.c", "cluster/sync.c", "cluster/life.c"],
    "keys": ["tool/line_edit.c"],
    "client": ["tool/client_words.c", "tool/client_commands.c", "tool/client_session.c", "tool/screen.c"],
    "server": ["server/rest.c", "server/rest_write.c", "server/api.c", "server/body.c", "server/admission.c", "server/admin.c",
               "server/credential.c"],
    "session": ["server/intake.c", "server/request.c", "server/frame.c", "server/message.c", "server/session.c"],
}


# wire/jwk.c reads sets, and PEM; server/ is told what bytes say, and what becomes of it in time: each is reached by two targets, of
# which neither can do what the other does.
ALSO = {"jwk": ["pem"], "session": ["server"], "server": ["session"]}


def make(*goals):
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    subprocess.run(["make", "-s", "-j%d" % JOBS, *goals], check=True, env=env, stdout=sys.stderr)


def name_of(program):
    return os.path.relpath(program, BUILD).replace("/", "-")


def counted(name):
    return dict(os.environ, LLVM_PROFILE_FILE=os.path.abspath("%s/%s.profraw" % (PROFILES, name)))


def run_one(argv, name, limit_s):
    """The program's exit code; what it printed is beside its counts."""
    os.makedirs(PROFILES, exist_ok=True)
    for old in glob.glob("%s/%s.prof*" % (PROFILES, name)):
        os.unlink(old)
    with open("%s/%s.out" % (PROFILES, name), "wb") as out:
        try:
            return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=counted(name),
                                  timeout=limit_s).returncode
        except subprocess.TimeoutExpired:
            return -1


def run(programs, limit_s=600):
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        codes = pool.map(lambda p: run_one([p], name_of(p), limit_s), programs)
        return dict(zip(map(name_of, programs), codes))


def inputs(target):
    return sorted(p for d in ("corpus", "regressions") for p in glob.glob("fuzz/%s/%s/*" % (d, target)))


def replay(targets, limit_s=600):
    """As run(); {"fuzz-http": 0, ...}."""
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        codes = pool.map(lambda t: run_one([BUILD + "/fuzz/" + t, *inputs(t)], "fuzz-" + t, limit_s), targets)
        return dict(zip(("fuzz-" + t for t in targets), codes))


def targets():
    return [os.path.basename(p)[len("fuzz_"):-2] for p in sorted(glob.glob("fuzz/fuzz_*.c"))]


def alone(target):
    """What the target's own inputs reach."""
    return Coverage(["fuzz-" + t for t in [target] + ALSO.get(target, [])])


def tool(name):
    """Debian's package brings the name with its version, the package `llvm` the bare one; clang's own version fits its data."""
    version = subprocess.run(["clang", "-dumpversion"], stdout=subprocess.PIPE, check=True, universal_newlines=True).stdout
    for path in ("/usr/bin/%s-%s" % (name, version.split(".")[0]), "/usr/bin/" + name):
        if os.path.exists(path):
            return path
    raise SystemExit("%s is not there (scripts/deps test installs it)" % name)


class File:
    def __init__(self, summary):
        self.lines, self.lines_reached = summary["lines"]["count"], summary["lines"]["covered"]
        self.statements, self.statements_reached = summary["regions"]["count"], summary["regions"]["covered"]
        self.sides = {}  # (line, column, line, column) of a condition -> [times true, times false]

    @property
    def branches(self):
        return 2 * len(self.sides)

    @property
    def branches_reached(self):
        return sum((t > 0) + (f > 0) for t, f in self.sides.values())


class Coverage:
    """names: programs as run() and replay() call them. What none of them links is there too, as not reached."""

    def __init__(self, names):
        profiles = [p for n in names for p in glob.glob("%s/%s.profraw" % (PROFILES, n))]
        together = "%s/%s.profdata" % (PROFILES, names[0] if len(names) == 1 else "together")
        subprocess.run([tool("llvm-profdata"), "merge", "-sparse", "-o", together, *profiles], check=True)
        out = subprocess.run([tool("llvm-cov"), "export", EVERYTHING, "-instr-profile=" + together], check=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        data = json.loads(out)["data"][0]
        self.files = {}
        for f in data["files"]:
            path = os.path.normpath(f["filename"])
            if path.startswith("src/") and f["summary"]["lines"]["count"] > 0:
                self.files[path[len("src/"):]] = File(f["summary"])
        for function in data["functions"]:
            for line, column, line_to, column_to, true, false, file_id, *_ in function["branches"]:
                f = self.files.get(os.path.normpath(function["filenames"][file_id])[len("src/"):])
                if f:
                    side = f.sides.setdefault((line, column, line_to, column_to), [0, 0])
                    side[0] += true
                    side[1] += false

    def missing(self, path):
        """A line for each side that was not seen: `file:line: what is never true (false)`."""
        with open("src/" + path, encoding="utf-8") as f:
            text = f.read().split("\n")
        for (line, column, line_to, column_to), (true, false) in sorted(self.files[path].sides.items()):
            said = text[line - 1][column - 1:column_to - 1 if line == line_to else None]
            for times, side in ((true, "true"), (false, "false")):
                if times == 0:
                    yield "src/%s:%d: never %s: %s" % (path, line, side, said)

    def total(self, paths):
        """(lines, reached, statements, reached, branches, reached)"""
        files = [self.files[p] for p in paths]
        return tuple(sum(getattr(f, a) for f in files) for a in (
            "lines", "lines_reached", "statements", "statements_reached", "branches", "branches_reached"))


def percent(part, whole):
    return 100.0 if whole == 0 else 100.0 * part / whole


def layers(coverage):
    out = collections.OrderedDict()
    for path in sorted(coverage.files):
        out.setdefault(path.split("/")[0] if "/" in path else "(src)", []).append(path)
    return out

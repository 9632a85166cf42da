"""One fault, one run, one verdict."""
import os, re, signal, subprocess, time
from clients import Harm, Http, Ws
import faulty
from faulty import Hung, Refused
from scenarios import BASE

IDLE_S, IDLE_SHARE_MAX = 0.02, 0.5
CPU_MORE_S = 0.25      # than without a fault
DESCRIPTORS_S = 3      # until those that left are let go
COMMAND_S, FILE_S = 12, 240
SIGNAL_S = 0.4          # until a command that waits is sent its signal: longer than a call is late
HARMLESS = re.compile(r"\w+:[\d+-]+:(short|delay=\d+)$")  # nothing fails: it is only done in parts, or late
CRASHED = re.compile(r"exit code -(4|6|7|8|11|31)\b|still there \d+ s after SIGTERM|Assertion .* failed|Sanitizer|runtime error:|presenced\.faulty:")
STARTED = re.compile(r"level=|\"level\":")


class Verdict:
    def __init__(self, *faults):
        self.faults, self.outcome, self.harms, self.said = list(faults), "unharmed", [], ""
        self.spun = []  # those of the faults that say how much processor time it took

    def wrong(self, why):
        self.faults.append(why)
        return self

    def spends(self, why):
        self.spun.append(why)
        return self.wrong(why)

    def text(self, name, fault):
        return "test/torture/run %s %s: %s\n%s" % (name, fault, "\n    ".join(self.faults + self.harms[:6]),
                                                   "\n".join("    | " + l for l in self.said.splitlines()[-12:]))


class Baseline:
    """A run without a fault."""
    faults = ()

    def __init__(self):
        self.sites, self.calls, self.descriptors, self.cpu_s, self.out = [], {}, 0, 0.0, None


class Run:
    """What a scenario is given: where the server listens, and the list of all connections."""

    def __init__(self, scenario, services, number, tag, patience):
        self.scenario, self.services, self.tag, self.conns, self.forgiven = scenario, services, "-%d-%s" % (number, tag), [], set()
        self.address = "127.%d.%d.%d" % (64 + (os.getpid() & 63), tag >> 7 & 255, 1 + (tag & 127))
        self.places, self.server, self.terminated = {}, None, False
        self.tls_wait_s = 3 * patience
        for i, name in enumerate(scenario.listens):
            self.places[name] = os.path.join(services.directory, "socket-%d" % os.getpid()) if name == "unix" else \
                ("::1", 20000 + os.getpid() % 20000) if name == "six" else (self.address, 7000 + i)

    def listens(self):
        for name, how in self.scenario.listens.items():
            place = self.places[name]
            yield ",".join([("unix:%s" if name == "unix" else "[%s]:%d" if name == "six" else "%s:%d") % place] + ([how] if how else []))

    def where(self, name):
        return self.places[name]

    def forgive(self, conn):
        """It ended, as it had to."""
        conn.close()
        self.forgiven.add(conn)

    def terminate(self):
        self.terminated = True
        self.server.terminate()

    def wait_log(self, pattern, seconds=1):
        """Or not: a fault may have swallowed the line."""
        limit = time.monotonic() + seconds
        while not re.search(pattern, self.server.said()) and time.monotonic() < limit:
            time.sleep(0.005)

    def wait_ready(self):
        limit = time.monotonic() + self.scenario.seconds
        conn = Http(self, self.where("main"), "ready")
        while True:
            try:
                conn.ask("GET", "/ready")
                return conn.close()
            except Harm as e:
                if time.monotonic() > limit or "answered 503" not in e.why:
                    raise
            time.sleep(0.01)

    def dead(self):
        return [c for c in self.conns if c.dead and c not in self.forgiven]

    def check_survivors(self):
        """Those that are not dead yet answer, or are."""
        for conn in self.conns:
            if not (conn.dead or conn.over or conn in self.forgiven):
                try:
                    conn.alive()
                except Harm:
                    conn.dead = True

    def leave(self):
        for conn in self.conns:
            conn.close()


class Player:
    def __init__(self, binary, table, services, number, patience):
        self.binary, self.table, self.services, self.number, self.patience = binary, table, services, number, patience
        self.counts, self.tag = faulty.Counts(table.names), 0

    def measure(self, scenario):
        base = Baseline()
        verdict = self.judge(scenario, None, base, True)
        if verdict.faults:
            return verdict
        calls, sites, _ = self.counts.read()
        base.sites, base.calls = sites, calls
        return base

    def judge(self, scenario, fault, base, first=False):
        if scenario.command:
            return self.command(scenario, fault, base, first)
        v = self.server(scenario, fault, base, first)
        if v.faults == v.spun and v.spun:  # what spins spins every time; on a shared machine a moment may cost 0.4 s once
            v = self.server(scenario, fault, base, first)
        return v

    # --- a server ---

    def server(self, scenario, fault, base, first):
        self.tag += 1
        v, run = Verdict(), Run(scenario, self.services, self.number, self.tag, self.patience)
        run.fault = fault
        self.leave_socket(run)
        both = ",".join(f for f in (fault, scenario.given) if f)
        server = run.server = faulty.Server(self.binary, self.common() + scenario.options(self.services), both, self.counts,
                                            list(run.listens()), scenario.descriptors, **scenario.env)
        try:
            server.wait_listening(run.where("main"))
            self.serve(run, fault, v, base, first)
        except Refused as e:
            self.refused(v, e, fault)
        except Hung as e:
            v.wrong("hung: %s" % e)
        finally:
            run.leave()
            v.said = server.said()
            if faulty.WRONG.search(v.said):
                v.wrong("it said what it must never say")
            server.kill()
        if fault and not v.faults and self.counts.read()[2] <= (scenario.given is not None):
            v.outcome = "not reached"
        return v

    def common(self):
        """A sanitizer makes calls of its own."""
        return BASE + ["--sandbox=off"] * ("asan" in os.path.basename(self.binary))

    @staticmethod
    def leave_socket(run):
        """What an earlier run left behind: nobody answers there."""
        import socket
        path = run.places.get("unix")
        if path and os.path.exists(path):
            os.unlink(path)
        if path:
            with socket.socket(socket.AF_UNIX) as s:
                s.bind(path)

    @staticmethod
    def refused(v, e, fault):
        v.outcome, v.harms = "refused to start", []
        lines = [l for l in e.said.splitlines() if l and not STARTED.search(l) and not l.startswith("presenced: warning: ")]
        if e.code not in (1, 2) or fault is None:
            v.wrong("ended at the start with exit code %s" % e.code)
        elif HARMLESS.match(fault):
            v.wrong("refused to start, and nothing had failed")
        elif len(lines) != 1 or not lines[0].startswith("presenced: ") or len(lines[0]) < 20:
            v.wrong("no one clear line: %r" % lines)
        v.harms.append(" | ".join(lines))

    def bystander(self, run):
        """It says something all along, and is nobody's business."""
        if not run.scenario.bystander:
            conn = Http(run, run.where("main"), "bystander")
        else:
            conn = Ws(run, run.where("main"), "bystander").open("/ws?dialect=rooms&user_id=by" + run.tag)
        conn.alive()

    def attempt(self, run, what, v):
        try:
            what(run)
            return True
        except Harm as e:
            v.harms.append(str(e))
            return False

    def serve(self, run, fault, v, base, first):
        good = self.attempt(run, self.bystander, v)
        good = self.attempt(run, run.scenario.play, v) and good
        if not good and self.gave_up(run):  # it had bound its addresses, so somebody could connect
            raise Refused(run.server.process.returncode, run.server.said())
        if not good and not run.terminated:
            self.after_harm(run, v)
        if not good and first:
            v.wrong("harm without a fault: %s" % v.harms)
        if not run.terminated:
            self.afterwards(run, v, base, first)
            run.terminate()
        code = run.server.ended()
        if code != 0:
            v.wrong("exit code %d after SIGTERM" % code)

    @staticmethod
    def gave_up(run):
        try:
            run.server.process.wait(0.1)
        except subprocess.TimeoutExpired:
            return False
        return not run.terminated and "msg=Listening" not in run.server.said()

    def after_harm(self, run, v):
        """One connection at most is harmed, and whoever tries again succeeds."""
        v.outcome = "harmed one connection"
        run.check_survivors()
        dead = run.dead()
        if len(dead) > 1 + (run.scenario.given is not None):
            v.wrong("%d connections were harmed: %s" % (len(dead), ", ".join(c.name for c in dead)))
        if dead and HARMLESS.match(run.fault or "") and not run.scenario.given:
            v.wrong("%s was harmed, and nothing had failed" % dead[0].name)
        if not dead and not run.scenario.lossy:
            v.wrong("every connection lives, and yet something did not come")
        if not dead:
            v.outcome = "late"
        for conn in [c for c in run.conns if c.name != "bystander"]:
            conn.close()
        self.tag += 1
        run.tag = "-%d-%d" % (self.number, self.tag)
        limit = time.monotonic() + (10 if run.scenario.lossy else 0)
        while not self.attempt(run, run.scenario.play, v):
            if time.monotonic() > limit:
                v.wrong("who tried again was harmed too: %s" % v.harms[-1])
                return

    def afterwards(self, run, v, base, first):
        self.check_descriptors(run, v, base, first)
        newcomers = (self.attempt(run, lambda run: Http(run, run.where("main"), "newcomer").alive(), v) for _ in range(2))
        untouched = not v.harms  # it may be the one that is harmed
        if not next(newcomers) and not (untouched and next(newcomers)):
            v.wrong("a newcomer is not served")
        for wait_s in (IDLE_S, 10 * IDLE_S):
            before = faulty.cpu_s(run.server.pid)
            time.sleep(wait_s)
            share = (faulty.cpu_s(run.server.pid) - before) / wait_s
            if share <= IDLE_SHARE_MAX:
                break
        else:
            v.spends("it spins: %.2f of a processor with nothing to do" % share)
        took = faulty.cpu_s(run.server.pid)
        if first:
            base.cpu_s = took
        elif took > base.cpu_s * (2 + len(v.harms)) + CPU_MORE_S * self.patience:
            v.spends("%.2f s of processor time; without a fault %.2f" % (took, base.cpu_s))

    def check_descriptors(self, run, v, base, first):
        run.leave()
        limit, before = time.monotonic() + (0.05 if first else DESCRIPTORS_S * self.patience), None
        while True:
            now = faulty.descriptors(run.server.pid)
            if first and before is not None and len(now) == before and time.monotonic() > limit:
                base.descriptors = len(now)
                return
            if not first and len(now) <= base.descriptors:
                return
            before = len(now)
            if time.monotonic() > limit + 5 * first:
                v.wrong("%d descriptors are open, %d without a fault: %s" % (len(now), base.descriptors, sorted(now)))
                return
            time.sleep(0.005)

    # --- a command ---

    def command(self, command, fault, base, first):
        if command.file:
            return self.file(command, fault)
        self.tag += 1
        v = Verdict()
        self.counts.clear()
        argv = [self.binary] + command.argv(self.services, "%d-%d" % (self.number, self.tag))
        env = faulty.environment(fault, self.counts, TERM="xterm")
        began = time.monotonic()
        if command.terminal:
            code, out, err = self.on_terminal(argv, env, command, v)
        else:
            code, out, err = self.piped(argv, env, command)
        v.said = err + out
        fired = self.counts.read()[2]
        if code is None:
            return v.wrong("no end within %d s" % COMMAND_S)
        if first:
            base.out = command.same(out)
        if code not in command.codes or (fault is None and code != (command.fails or 0)):
            v.wrong("exit code %d" % code)
        elif faulty.WRONG.search(v.said):
            v.wrong("it said what it must never say")
        elif HARMLESS.match(fault or "") and code != (command.fails or 0):
            v.wrong("exit code %d, and nothing had failed" % code)
        elif code == 0 and command.fails:
            v.wrong("exit code 0")
        elif code == 0 and command.same(out) != base.out:
            v.wrong("exit code 0, and yet not everything was done: %r, not %r" % (command.same(out), base.out))
        elif code != 0 and not err and not command.terminal and argv[1] != "client" and not (fault or "").startswith("write"):
            v.wrong("exit code %d without a word" % code)
        elif code != 0 and err.count("\n") > 1 and argv[1] != "client":
            v.wrong("more than a line: %r" % err)
        v.outcome = "failed and said so" if code else "unharmed" if fired or not fault else "not reached"
        if code:
            v.harms.append("exit code %d after %.1f s: %s" % (code, time.monotonic() - began, (err or out[-300:]).strip()))
        return v

    def file(self, command, fault):
        """Whatever its cases say: it comes to its end, if only by an exception, and no server crashed or hung."""
        v = Verdict()
        self.counts.clear()
        env = {k: x for k, x in os.environ.items() if not k.startswith("FAULTY")}
        env.update(PRESENCED_BINARY=self.binary, FAULTY_COUNTS=self.counts.path, **({"FAULTY": fault} if fault else {}))
        process = subprocess.Popen([command.file], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
                                   start_new_session=True)
        try:
            out = process.communicate(timeout=FILE_S)[0]
        except subprocess.TimeoutExpired:
            v.wrong("no end within %d s" % FILE_S)
            out = b""
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        v.said = out.decode("utf-8", "replace")
        failed = re.findall(r"^not ok.*", v.said, re.M)
        crash = CRASHED.search(v.said)
        if crash:
            v.wrong("a server crashed or hung: " + crash[0])
        raised = process.returncode == 1 and "Traceback (most recent call last)" in v.said
        if not re.search(r"^1\.\.\d+", v.said, re.M) and not v.faults and not raised:
            v.wrong("it did not come to its end")
        if not fault and failed:
            v.wrong("it fails without a fault: %s" % failed[:3])
        v.outcome = "failed cleanly" if failed or process.returncode else "passed" if not fault or self.counts.read()[2] else "not reached"
        return v

    def piped(self, argv, env, command):
        stdin = open(self.services.path(command.stdin)) if command.stdin else subprocess.DEVNULL
        stdout = open("/dev/full", "w") if command.full else subprocess.PIPE
        process = subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=env, cwd="/",
                                   preexec_fn=faulty.die_with_parent)
        try:
            if command.signal:
                self.signal_waiting(process, command.signal)
            out, err = process.communicate(timeout=COMMAND_S)
            return process.returncode, (out or b"").decode("utf-8", "replace"), err.decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            return None, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
        finally:
            for file in (stdin, stdout):
                if not isinstance(file, int):
                    file.close()

    @staticmethod
    def signal_waiting(process, number):
        time.sleep(SIGNAL_S)
        if process.poll() is None:
            process.send_signal(number)

    def on_terminal(self, argv, env, command, v):
        from terminal import Terminal
        with Terminal(argv, env=env) as terminal:
            try:
                terminal.wait(lambda: "connected to" in "".join(terminal.text()) or terminal.process.poll() is not None, "", 3)
                terminal.type(command.terminal)
            except AssertionError:
                pass  # it did not come so far
            if command.signal:
                self.signal_waiting(terminal.process, command.signal)
            try:
                code = terminal.exit_code(COMMAND_S)
            except AssertionError:
                code = None
            lost = re.match(r"(ioctl|tcsetattr):\d+:(EIO|ENOTTY)", env.get("FAULTY", ""))  # there is no terminal any more
            if not terminal.is_restored() and not lost:
                v.wrong("the terminal is not as it was")
            return code, "\n".join(terminal.text()), ""


def print_sites(binary, baselines):
    """Places that call and that no scenario reaches."""
    reached = {s.offset for base in baselines.values() for s in base.sites}
    out = subprocess.run(["objdump", "-d", "--no-show-raw-insn", binary], stdout=subprocess.PIPE, check=True).stdout.decode()
    lines = re.findall(r"^ *([0-9a-f]+):\t(.*)$", out, re.M)
    missing, total = [], 0
    for (_, instruction), (after, _) in zip(lines, lines[1:]):
        m = re.match(r"call +[0-9a-f]+ <__wrap_(\w+)>", instruction)
        if m:
            total += 1
            if int(after, 16) not in reached:
                missing.append((m[1], after))
    where = subprocess.run(["addr2line", "-fse", binary], input="\n".join("%x" % (int(a, 16) - 1) for _, a in missing).encode(),
                           stdout=subprocess.PIPE).stdout.decode().split("\n")
    print("# %d of %d places that call are reached; not:" % (total - len(missing), total))
    for i, (call, _) in enumerate(missing):
        print("#   %s in %s, %s" % (call, where[2 * i], where[2 * i + 1]))

#!/usr/bin/python3
"""RELIABILITY Z2, Z5, S18, O13: what the process has given up once it serves, and that this holds: build/presenced.breakout
(test/walls/breakout.c) is the same program with a thread that tries to get out. Certificates are still read again, however they are
replaced; where the kernel lacks a wall, one line says so and the start goes on."""
import contextlib, ctypes, errno, os, re, shutil, signal, socket, ssl, struct, subprocess, sys, tempfile, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import pki, server as harness
from secure import signed
from server import BINARY, ROOT, Raw, Server, websocket
from tap import end, ok, scenes

BREAKOUT = os.path.join(ROOT, "build/presenced.breakout")
IS_ROOT = os.geteuid() == 0
NOBODY = 65534
CALLS_MAX = 35  # S18
X86 = os.uname().machine == "x86_64"
LANDLOCK = ctypes.CDLL(None).syscall(444, None, 0, 1)  # this kernel's ABI; -1: none
FOLDER = tempfile.mkdtemp(prefix="presenced-walls-")
os.chmod(FOLDER, 0o777)
PAIR = pki.pair("walls")
TLS = ["--listen", "127.0.0.1:0,tls", *pki.options(PAIR)]
UNIX = ["--listen", "unix:" + os.path.join(FOLDER, "socket")]
REDIS = ["--redis-url", "redis://127.0.0.1:1/"]
NAME = ["--redis-url", "redis://no-such-name.invalid:6379/"]
LOCAL = ["--redis-url", "redis+unix://" + os.path.join(FOLDER, "none")]
SENTINEL = ["--redis-url", "redis+sentinel://127.0.0.1:1/master"]
CHECK = ["--user-check-url", "http://127.0.0.1:1/users"]
EVERYTHING = TLS + UNIX + ["--redis-url", "rediss://localhost:1/", "--ca-file", PAIR[0], "--user-check-url", "https://localhost:1/users"]
CONFIGURATIONS = {"nothing but serving": [], "TLS": TLS, "a unix listener": UNIX, "Redis": REDIS, "Redis by name": NAME,
                  "Redis on a unix socket": LOCAL, "Sentinel": SENTINEL, "user-check-url": CHECK, "everything": EVERYTHING}


def text(path):
    with open(path) as f:
        return f.read()


def status(path):
    return dict(line.split(":\t", 1) for line in text(path).splitlines() if ":\t" in line)


def walls_of(server):
    line = server.wait_log(r'msg="Walls ')
    return re.search(r'walls="([^"]*)"', line)[1]


# --- what is gone ---

def gone(server, uid):
    """What a thread of the server still has that it should not."""
    left = []
    for task in os.listdir("/proc/%d/task" % server.pid):
        s = status("/proc/%d/task/%s/status" % (server.pid, task))
        wanted = {"NoNewPrivs": "1", "Seccomp": "2", "Uid": "\t".join([str(uid)] * 4), "Gid": "\t".join([str(uid)] * 4),
                  "CapInh": "0" * 16, "CapPrm": "0" * 16, "CapEff": "0" * 16, "CapAmb": "0" * 16}
        if IS_ROOT:
            wanted.update({"Groups": "", "CapBnd": "0" * 16})
        left += ["%s: %s is %s" % (task, k, s[k]) for k, v in wanted.items() if s[k].strip() != v]
    core = re.search(r"Max core file size +(\S+) +(\S+)", text("/proc/%d/limits" % server.pid)) if IS_ROOT else None
    if core and core.groups() != ("0", "0"):
        left.append("core files: " + core[0])
    return left


SPY = """
import ctypes, os, sys
libc, pid = ctypes.CDLL(None, use_errno=True), int(sys.argv[1])
Piece, page = ctypes.c_size_t * 2, ctypes.create_string_buffer(16)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
print(libc.ptrace(16, pid, None, None), ctypes.get_errno())
print(libc.process_vm_readv(pid, Piece(ctypes.addressof(page), 16), 1, Piece(4096, 16), 1, 0), ctypes.get_errno())
for name in ("mem", "environ", "auxv"):
    try:
        open("/proc/%d/%s" % (pid, name), "rb").read(1)
        print(name)
    except PermissionError:
        pass
"""


def private(server, uid):
    """Somebody of the same user id looks in."""
    who = {"user": uid, "group": uid, "extra_groups": []} if IS_ROOT else {}
    done = subprocess.run([sys.executable, "-c", SPY, str(server.pid)], stdout=subprocess.PIPE, cwd="/", universal_newlines=True, **who)
    return done.stdout.split("\n")[:-1]


def standing():
    uid = NOBODY if IS_ROOT else os.geteuid()
    for name, options in CONFIGURATIONS.items():
        with Server(*options, listeners=1 + options.count("127.0.0.1:0,tls")) as server:
            said = walls_of(server)
            left = gone(server, uid)
            ok(not left, "nothing is left of root: " + name, "\n".join(left))
            calls = int(re.search(r"seccomp\((\d+) calls\)", said)[1])
            print("# %s: %s" % (name, said))
            ok(calls <= CALLS_MAX, "%d calls at most: %s" % (CALLS_MAX, name), calls)
            check = subprocess.run([BINARY, "check", *options], stdout=subprocess.PIPE, env=harness.environment(), cwd="/", universal_newlines=True)
            ok("serves: " + said in check.stdout, "check foresees the same: " + name, check.stdout[-500:])
            listed = re.search(r"^# calls: (.*)$", check.stdout, re.M)
            ok(listed and len(listed[1].split()) == calls, "and lists the calls: " + name, listed)
            places = len(re.findall(r"^# may (?:read|remove) ", check.stdout, re.M))
            ok(LANDLOCK < 1 or places == int(re.search(r"(\d+) paths?\)", said)[1]), "and the places: " + name, check.stdout[-500:])
            if name == "everything":
                seen = private(server, uid)
                ok(seen == ["-1 1", "-1 1"], "not to be traced or read by who has the same user id", seen)
    if IS_ROOT:
        with Server("--user=root") as server:
            walls_of(server)
            left = gone(server, 0)
            ok(not left, "who stays root has none of its rights", "\n".join(left))
    with Server("--sandbox=off") as server:
        ok("sandbox=off" in walls_of(server), "sandbox=off says so")
        s = status("/proc/%d/status" % server.pid)
        ok((s["Seccomp"], s["NoNewPrivs"], s["Uid"].split()[0]) == ("0", "0", str(uid)), "and leaves out all but `user`", s)


def as_nobody():
    """Started by somebody who is not root; the program lies where they can reach it."""
    if not IS_ROOT:
        return ok(True, "started by nobody # SKIP this is what all else here is")
    mine = os.path.join(FOLDER, "presenced")
    shutil.copy(BINARY, mine)
    os.chmod(mine, 0o755)
    for name, options in (("nothing but serving", []), ("everything", EVERYTHING)):
        server = Server(*options, prefix=["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", mine][:-1],
                        listeners=1 + options.count("127.0.0.1:0,tls"))
        said = walls_of(server)
        left = [l for l in gone(server, NOBODY) if "CapBnd" not in l]  # only root could bound them
        ok(("Walls are up" in server.log() or LANDLOCK < 1) and not left, "started by nobody: %s: %s" % (name, said), "\n".join(left))
        seen = private(server, NOBODY)
        ok(seen == ["-1 1", "-1 1"], "not to be traced or read by nobody: " + name, seen)
        why = server.stop()
        ok(why is None, "and a clean end", why)


# --- breaking out ---

def attempt(options, what, on="loop", prefix=()):
    """The signal that ended it; else "done", or the name of the error."""
    env = harness.environment(BREAKOUT=what, BREAKOUT_ON=on)
    process = subprocess.Popen([*prefix, BREAKOUT, *(options if "--listen" in options else ["--listen", "127.0.0.1:0", *options])],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env, cwd="/", bufsize=0)
    timer = threading.Timer(10, process.kill)
    timer.start()
    result = None
    for line in process.stderr:
        found = re.match(rb"breakout: .*: (done|errno (\d+))$", line)
        if found:
            result = "done" if found[1] == b"done" else errno.errorcode[int(found[2])]
            process.terminate()
    code = process.wait()
    timer.cancel()
    if code < 0:
        return signal.Signals(-code).name
    return result if code == 0 else "exit code %d" % code


def killed(*rows):
    return [(row, "SIGSYS") for row in rows]


PACKET, NETLINK, VSOCK, ALG, XDP = 17, 16, 40, 38, 44
OTHER_CALLS = {"io_uring_setup": 425, "memfd_create": 319, "bpf": 321, "unshare": 272, "mount": 165, "keyctl": 250, "userfaultfd": 323,
               "perf_event_open": 298, "pidfd_open": 434, "landlock_restrict_self": 446, "seccomp": 317, "personality": 135, "vfork": 58,
               "execveat": 322, "mremap": 25, "ioctl": 16, "dup": 32, "sethostname": 170, "clone3": 435, "arch_prctl": 158,
               "init_module": 175, "kexec_load": 246, "name_to_handle_at": 303, "open_by_handle_at": 304, "setns": 308} if X86 else {}
ALWAYS = killed(
    "exec=/bin/sh", "fork", "thread", "ptrace", "process_vm_readv", "kill=9", "kill=15", "tkill=9", "tkill=6 of init", "openat2=/etc/passwd",
    "open-write=/etc/passwd", "create=" + FOLDER + "/new", "directory=/etc", "rename=/etc/passwd", "chmod=/etc/passwd", "setuid=0", "capset",
    "prctl=4", "rlimit", "socketpair", "mmap=7", "mmap=5", "mprotect=5", "mprotect=4", "mmap-over", "fastopen=2", "fastopen-message=2",
    *("socket=%d,%d,%d" % row for row in ((PACKET, 3, 0), (PACKET, 2, 768), (NETLINK, 3, 0), (VSOCK, 1, 0), (ALG, 5, 0), (XDP, 3, 0),
                                         (2, 3, 1), (2, 3, 255), (2, 2, 1), (10, 3, 58), (2, 1, 262), (2, 5, 132), (1, 2, 0), (1, 5, 0)))) + \
    ([("x32", "SIGSYS"), ("int80", "SIGSYS SIGSEGV")] if X86 else []) + killed(*("call=%d" % n for n in OTHER_CALLS.values())) + [("abort", "SIGABRT")]
SHADOW = "open=/etc/shadow"
TRIES = [  # where: the configuration's name, what is tried, what must come of it
    *(("nothing but serving", *row) for row in ALWAYS + killed(
        "open=/etc/passwd", "open=/dev/null", "open=" + PAIR[1], "unlink=/etc/passwd", "mmap=3", "mprotect=3",
        "socket=2,1,0", "socket=10,1,0", "socket=2,2,0", "socket=1,1,0", "connect=1", "bind=0")),
    *(("everything", *row) for row in ALWAYS + [
        ("open=/etc", "EACCES"), ("open=/proc/self/environ", "EACCES"), ("open=/usr/bin/env", "EACCES"), ("open=" + BINARY, "EACCES"),
        ("open=/dev/null", "EACCES"), ("open=" + PAIR[0], "done"), ("open=" + PAIR[1], "done"), ("open=/etc/hosts", "done"), ("unlink=/etc/passwd", "EACCES"),
        ("unlink=" + PAIR[0], "EACCES"), ("mmap=3", "done"), ("mprotect=3", "done"), ("socket=2,1,0", "done"), ("socket=1,1,0", "SIGSYS"),
        ("connect=2", "EACCES"), ("connect=22", "EACCES"), ("connect=1", "ECONNREFUSED"), ("bind=0", "EACCES")]),
    *(("TLS", *row) for row in [
        ("open=/etc/passwd", "EACCES"), ("open=/etc/hosts", "EACCES"), ("open=/proc/self/maps", "EACCES"), ("open=" + PAIR[0], "done"),
        ("open=" + PAIR[1], "done"), ("open-write=" + PAIR[0], "SIGSYS"), ("create=" + PAIR[0], "SIGSYS"), ("directory=" + pki.directory(), "SIGSYS"),
        ("socket=2,1,0", "SIGSYS"), ("connect=1", "SIGSYS"), ("unlink=" + PAIR[0], "SIGSYS")]),
    ("a unix listener", "unlink=/etc/passwd", "EACCES"), ("a unix listener", "open=/etc/passwd", "SIGSYS"),
    ("Redis", "connect=1", "ECONNREFUSED"), ("Redis", "connect=2", "EACCES"), ("Redis", "bind=0", "SIGSYS"), ("Redis", "socket=2,2,0", "SIGSYS"),
    ("Redis", "socket=1,1,0", "SIGSYS"), ("Redis", "open=/etc/hosts", "SIGSYS"),
    ("Redis on a unix socket", "socket=1,1,0", "done"), ("Redis on a unix socket", "socket=2,1,0", "SIGSYS"),
    ("Sentinel", "connect=2", "ECONNREFUSED"), ("Sentinel", "bind=0", "EACCES"), ("Sentinel", "open=/usr/bin/env", "EACCES"),
    ("user-check-url", "connect=1", "ECONNREFUSED"), ("user-check-url", "connect=2", "EACCES"), ("user-check-url", SHADOW, "SIGSYS"),
    ("Redis by name", "open=/etc/hosts", "done"), ("Redis by name", "open=/usr/bin/env", "EACCES"), ("Redis by name", "socket=2,2,0", "done"),
]
ON_RESOLVER = [("open=/etc/hosts", "done"), ("open=/usr/bin/env", "EACCES"), ("open=/proc/self/mem", "EACCES"), ("connect=22", "EACCES"),
               ("abort", "SIGSYS"), *killed("exec=/bin/sh", "fork", "thread", "ptrace", "socket=17,3,0", "mmap=7", "setuid=0", "kill=9", "capset")]


def breaking_out():
    if not os.path.exists(BREAKOUT):
        return ok(False, "build/presenced.breakout is there", "make build/presenced.breakout")
    named = {n: name for name, n in OTHER_CALLS.items()}
    for where, what, wanted in TRIES:
        if wanted == "EACCES" and LANDLOCK < (4 if what.startswith(("connect", "bind")) else 1):
            continue
        got = attempt(CONFIGURATIONS[where], what)  # a kernel without IA-32 knows no int 0x80 at all
        label = named.get(int(what[5:]), what) if what.startswith("call=") else what
        ok(got in wanted.split(), "%s: %s: %s" % (where, label, wanted), got)
    for what, wanted in ON_RESOLVER:
        if wanted == "EACCES" and LANDLOCK < 4:
            continue
        got = attempt(NAME, what, on="resolver")
        ok(got == wanted, "on the resolver's thread: %s: %s" % (what, wanted), got)
    if IS_ROOT and LANDLOCK > 0:
        root = os.path.join(FOLDER, "root")
        os.makedirs(root + os.path.dirname(BREAKOUT))
        shutil.copy(BREAKOUT, root + BREAKOUT)
        put(root, PAIR)
        put(root, PAIR, ("other.crt", "other.key"))
        for name in ("/tls", "tls", "./tls"):
            options = ["--listen", "127.0.0.1:0,tls", *pki.options((name + ".crt", name + ".key"))]
            for what, wanted in (("open=/tls.key", "done"), ("open=/other.key", "EACCES"), ("open=" + BREAKOUT, "EACCES")):
                got = attempt(options, what, prefix=["chroot", root])
                ok(got == wanted, "files in the root, as %s.key, do not open all below it: %s: %s" % (name, os.path.basename(what), wanted), got)
    got = attempt(["--sandbox=off"], "open=/etc/passwd")
    ok(got == "done", "sandbox=off: the attempts themselves work", got)


# --- reading again ---

def served(port):
    return ssl.get_server_certificate(("127.0.0.1", port))


def put(directory, pair, names=("tls.crt", "tls.key")):
    os.makedirs(directory, exist_ok=True)
    for source, name in zip(pair, names):
        shutil.copy(source, os.path.join(directory, name))
    return [os.path.join(directory, name) for name in names]


def link(to, path):
    """Makes or turns a link in one step."""
    os.symlink(to, path + ".new")
    os.rename(path + ".new", path)


def in_place(base):
    paths = put(base, PAIR)
    return paths, lambda new: put(base, new)


def renamed(base):
    paths = put(base, PAIR)

    def turn(new):
        put(base, new, ("new.crt", "new.key"))
        for old, name in zip(paths, ("new.crt", "new.key")):
            os.rename(os.path.join(base, name), old)
    return paths, turn


def kubernetes(base):
    """A secret's volume: tls.crt -> ..data/tls.crt, ..data -> ..2026_1, and that is what is turned."""
    put(base + "/..2026_1", PAIR)
    link("..2026_1", base + "/..data")
    for name in ("tls.crt", "tls.key"):
        link("..data/" + name, base + "/" + name)

    def turn(new):
        put(base + "/..2026_2", new)
        link("..2026_2", base + "/..data")
        shutil.rmtree(base + "/..2026_1")
    return [base + "/tls.crt", base + "/tls.key"], turn


def certbot(base):
    """live/NAME/fullchain.pem -> ../../archive/NAME/fullchain1.pem"""
    live = base + "/live/a.example"
    os.makedirs(live)

    def turn(new, number=2):
        names = ["fullchain%d.pem" % number, "privkey%d.pem" % number]
        put(base + "/archive/a.example", new, names)
        for name, to in zip(("fullchain.pem", "privkey.pem"), names):
            link("../../archive/a.example/" + to, live + "/" + name)
    turn(PAIR, 1)
    return [live + "/fullchain.pem", live + "/privkey.pem"], turn


def beside(base):
    """The directory that is named is the link that is turned."""
    put(base + "/v1", PAIR)
    link("v1", base + "/current")

    def turn(new):
        put(base + "/v2", new)
        link("v2", base + "/current")
    return [base + "/current/tls.crt", base + "/current/tls.key"], turn


def relative_base(base):
    paths, turn = renamed(base)
    return [os.path.relpath(p, "/") for p in paths], turn  # the server runs in /


def reading_again():
    new = pki.pair("walls-new")
    for make in (in_place, renamed, kubernetes, certbot, beside, relative_base):
        base = os.path.join(FOLDER, make.__name__)
        os.makedirs(base)
        paths, turn = make(base)
        with Server(*pki.options(paths), listen=("tls",)) as server:
            first = served(server.port)
            for source, wanted in ((new, new), (PAIR, None)):
                if wanted is None and make not in (in_place, renamed, relative_base):
                    break
                mark = len(server.lines)
                turn(source)
                os.kill(server.pid, signal.SIGHUP)
                line = server.wait_log("TLS certificates ", since=mark)
                good = "certificates loaded" in line and (served(server.port).strip() == text(source[0]).strip())
                ok(good and first.strip() == text(PAIR[0]).strip(), "SIGHUP reads a pair that was replaced: %s%s" % (
                    make.__name__.replace("_", " "), "" if wanted else ", twice"), line)
    if LANDLOCK < 1:
        return
    base = os.path.join(FOLDER, "elsewhere")
    paths = put(base, PAIR)
    far = put(os.path.join(FOLDER, "far"), new)
    with Server(*pki.options(paths), listen=("tls",)) as server:
        mark = len(server.lines)
        for to, path in zip(far, paths):
            link(to, path)
        os.kill(server.pid, signal.SIGHUP)
        line = server.wait_log("TLS certificates ", since=mark)
        ok("Permission denied" in line and served(server.port).strip() == text(PAIR[0]).strip(), "but not one that leads elsewhere since the start", line)


# --- secrets ---

def memory_of(pid):
    """What the process can write, and nobody but root can read."""
    with open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in text("/proc/%d/maps" % pid).splitlines():
            start, stop = (int(x, 16) for x in line.split()[0].split("-"))
            if line.split()[1].startswith("rw"):
                with contextlib.suppress(OSError):
                    mem.seek(start)
                    yield mem.read(stop - start)


def secrets():
    """Z5: what was read from files is in memory once, as what it is needed as, and nowhere else."""
    if not IS_ROOT:
        return ok(True, "secrets in memory # SKIP only root can look")
    canaries = {"jwt-secret-file": "CANARYsecretOfTokens0123456789abcdef", "api-key-file": "CANARYapiKey0123456789"}
    for name, value in canaries.items():
        with open(os.path.join(FOLDER, name), "w") as f:
            f.write(value + "\n")
    body = text(PAIR[1]).splitlines()[1]
    scalar = pki.openssl("ec", "-in", PAIR[1], "-outform", "DER")[7:39]  # RFC 5915: what the key is, of P-256
    options = [word for name in canaries for word in ("--" + name, os.path.join(FOLDER, name))]
    with Server(*options, *pki.options(PAIR), "--redis-url", "redis://me:CANARYpassword@127.0.0.1:1/", listen=("tls", "")) as server:
        walls_of(server)
        served(server.port)
        there = websocket(server, "/ws?dialect=rooms", "Authorization: Bearer " + signed({"sub": "CANARYuser", "exp": int(time.time()) + 60},
                                                                                         canaries["jwt-secret-file"].encode()), listener=1)
        memory = list(memory_of(server.pid))
        ok(any(b"CANARYuser" in part for part in memory), "Z5: what the server keeps of a user is seen when its memory is looked at")
        for name, value in canaries.items():
            count = sum(part.count(value.encode()) for part in memory)
            ok(count == 1, "Z5: %s is in memory once" % name, count)
        count = sum(part.count(body.encode()) for part in memory)
        ok(count == 0 and memory, "Z5: the private key's PEM is not", count)
        count = sum(part.count(scalar) for part in memory)
        ok(count == 1, "Z5: the private key itself is, once", count)
        count = sum(part.count(b"CANARYpassword") for part in memory)
        ok(count <= 1, "Z5: Redis' password at most once", count)
        for where in ("cmdline", "environ"):
            ok("CANARY" not in text("/proc/%d/%s" % (server.pid, where)), "Z5: nothing in /proc/PID/" + where, text("/proc/%d/cmdline" % server.pid))
        locked = int(status("/proc/%d/status" % server.pid)["VmLck"].split()[0])
        ok(locked > 0, "Z5: pages of keys are locked", locked)
        ok("CANARY" not in server.log().replace("CANARYuser", ""), "Z5: nothing in the log")
        there.close()
    with Server(env={"REDIS_URL": "redis://:CANARYpassword@127.0.0.1:1/"}) as server:
        ok("CANARY" not in text("/proc/%d/environ" % server.pid), "Z5: nor of REDIS_URL in /proc/PID/environ")


# --- kernels that lack something ---

def without(*numbers):
    """For preexec_fn: these calls do not exist from here on."""
    def install():
        program = [(0x20, 0, 0, 0)]  # the number
        for number in numbers:
            program += [(0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | errno.ENOSYS)]
        program.append((0x06, 0, 0, 0x7fff0000))
        code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *i) for i in program))
        head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
        assert IS_ROOT or libc.prctl(38, 1, 0, 0, 0) == 0
        assert libc.prctl(22, 2, ctypes.addressof(head), 0, 0) == 0, ctypes.get_errno()
    return install


def older_kernels():
    landlock, seccomp, capset = 444, 317 if X86 else 277, 126 if X86 else 91
    for name, missing, wanted in (("Landlock", (landlock,), r"seccomp\(\d+ calls\) landlock\(none\)"),
                                  ("seccomp", (seccomp,), r"seccomp\(none\) landlock\(abi"),
                                  ("both", (landlock, seccomp), r"seccomp\(none\) landlock\(none\)"),
                                  ("capset, for one who keeps some", (capset,), r"no_new_privs capabilities seccomp\(\d+ calls\) landlock\(abi")):
        if capset in missing and not IS_ROOT or "abi" in wanted and LANDLOCK < 1:
            continue
        process = subprocess.Popen([BINARY, *TLS, *(["--user=root"] if capset in missing else [])], stderr=subprocess.PIPE, env=harness.environment(), cwd="/", preexec_fn=without(*missing),
                                   universal_newlines=True)
        port = int(re.search(r"address=\S*:(\d+)", process.stderr.readline())[1])
        line = process.stderr.readline()
        ok("level=WARN" in line and re.search(wanted, line), "a kernel without %s: one line, and it serves" % name, line)
        ok(served(port).strip() == text(PAIR[0]).strip(), "it does")
        process.terminate()
        ok(process.wait(10) == 0, "and ends well", process.returncode)
        process.stderr.close()


# --- names ---

class Names(threading.Thread):
    """A name server that keeps quiet until it is told to speak; every name is 127.0.0.1."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        self.asked, self.speak = threading.Event(), threading.Event()

    def run(self):
        while True:
            query, who = self.socket.recvfrom(512)
            self.asked.set()
            self.speak.wait(30)
            kind = query[query.index(b"\0", 12) + 1:][:2]
            answer = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1" if kind == b"\0\1" else b""
            self.socket.sendto(query[:2] + b"\x81\x80\0\1\0" + bytes([len(answer) > 0]) + b"\0\0\0\0" + query[12:] + answer, who)


def names():
    """A name is asked for over the network, behind the walls, while the process is stopped and goes on; resolv.conf is replaced."""
    can = IS_ROOT and subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode == 0
    if not can:
        return ok(True, "names # SKIP no mount namespaces")
    conf = os.path.join(FOLDER, "resolv.conf")
    with open(conf, "w") as f:
        f.write("nameserver 127.0.0.77\noptions timeout:10 attempts:1\n")
    name_server = Names("127.0.0.77")
    name_server.start()
    redis = socket.create_server(("127.0.0.1", 0))
    redis.settimeout(10)
    shell = 'mount --bind %s "$(realpath /etc/resolv.conf)" && mount --bind /etc/hosts /etc/hosts && exec "$@"' % conf
    for what, wanted in (("open=/etc/resolv.conf", "done"), ("open=/etc/hosts", "done"), ("open=/etc/passwd", "EACCES")):
        got = attempt(NAME, what, prefix=["unshare", "-m", "sh", "-c", shell, "-"])
        ok(got == wanted, "where the resolver's files are mounted, they alone: %s: %s" % (what, wanted), got)
    with Server("--redis-url", "redis://redis.example.test:%d/" % redis.getsockname()[1],
                prefix=["unshare", "-m", "sh", "-c", shell, "-"]) as server:
        print("# " + walls_of(server))
        ok(name_server.asked.wait(10), "the name server is asked")
        os.kill(server.pid, signal.SIGSTOP)
        time.sleep(0.2)
        os.kill(server.pid, signal.SIGCONT)
        time.sleep(0.2)
        name_server.speak.set()
        try:
            redis.accept()[0].close()
            came = True
        except OSError:
            came = False
        ok(came, "its answer is used, after SIGSTOP and SIGCONT while it was waited for", server.log()[-800:])


scenes(standing, as_nobody, breaking_out, reading_again, secrets, older_kernels, names)
shutil.rmtree(FOLDER, True)
end()

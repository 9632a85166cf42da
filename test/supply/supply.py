#!/usr/bin/python3
"""test/supply/supply.py: what is delivered (RELIABILITY O): how the file is hardened (Z1), its parts (Z7), the systemd unit (Z3), the
image (Z4), SECURITY.md (Z9). Prints TAP. An argument: only the cases with it in their name."""
import glob, importlib.machinery, json, os, re, shlex, shutil, signal, subprocess, sys, tempfile, traceback

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
sys.dont_write_bytecode = True
sys.path[:0] = ["test/e2e/lib", "test/supply"]
import confine
from server import BINARY, Server, environment
from tap import end, ok

elf = importlib.machinery.SourceFileLoader("hardening", "scripts/hardening").load_module()
sbom = importlib.machinery.SourceFileLoader("sbom", "scripts/sbom").load_module()
UNIT = "scripts/presenced.service"
EXPOSURE_MAX = 1.5
work = tempfile.TemporaryDirectory()


def run(*argv, **more):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def text(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def check(name, faults):
    faults = list(faults)
    ok(not faults, name, "\n".join(faults))


# --- the file ---

def hardened():
    for name, yes, said, excuse in elf.properties("build/presenced"):
        ok(yes or excuse, "%s: %s: %s%s" % (name, "yes" if yes else "no", said, " (%s)" % excuse if excuse and not yes else ""))


# Options of a program's build -> the property that must read no (None: all that can be read from a file alone reads yes).
BADLY_BUILT = [
    ("-static-pie -s", None),
    ("-no-pie -static -s", "static-pie"), ("-pie -s", "static-pie"),
    ("-static-pie -s -Wl,-z,norelro", "relocations read-only (RELRO)"),
    ("-pie -s -Wl,-z,lazy", "bound at start (BIND_NOW)"),
    ("-static-pie -s -Wl,-z,execstack", "stack not executable"),
    ("-no-pie -static -s -nostdlib -Wl,-N,-e,main", "nothing writable and executable"),
    ("-static-pie -s -fno-pic -mcmodel=large -Wl,-z,notext", "no text relocations"),
    ("-static-pie -s -Wl,-z,noseparate-code", "code apart from data"),
    ("-static-pie", "stripped"),
    ("-static-pie -s -DLEAK", "no build paths"),
]


def badly_built():
    source = os.path.join(os.path.realpath("."), "build", "supply", "leak.c")
    os.makedirs(os.path.dirname(source), exist_ok=True)
    with open(source, "w") as f:
        f.write('#ifdef LEAK\nchar *leak = __FILE__;\n#endif\nint (*keep)(void);\nint main(void) { return keep != 0; }\n')
    for options, wanted in BADLY_BUILT:
        out = os.path.join(work.name, "badly")
        made = run("gcc", *options.split(), "-o", out, source)
        said = {name: yes for name, yes, _, _ in elf.properties(out)} if made.returncode == 0 else {}
        if wanted is None:
            check("the script finds nothing wrong with gcc %s" % options, [] if said else [made.stdout])
            continue
        ok(said.get(wanted) is False, "the script sees what gcc %s makes of: %s" % (options, wanted), made.stdout or said)


# --- its parts ---

SPDX_REQUIRED = {"spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo", "packages", "relationships"}
PACKAGE_KEYS = {"SPDXID", "name", "versionInfo", "primaryPackagePurpose", "downloadLocation", "filesAnalyzed", "licenseDeclared",
                "licenseConcluded", "copyrightText", "packageFileName", "checksums", "externalRefs", "comment"}
LICENCES = r"(MIT|BSD-3-Clause|GPL-3\.0-or-later( WITH GCC-exception-3\.1)?|GPL-2\.0-only WITH Linux-syscall-note)"


def spdx_faults(d):
    """SPDX 2.3, as far as this document uses it: what is required, which words there are, that references lead somewhere."""
    yield from ("no %s" % k for k in SPDX_REQUIRED - d.keys())
    if d["spdxVersion"] != "SPDX-2.3" or d["dataLicense"] != "CC0-1.0" or d["SPDXID"] != "SPDXRef-DOCUMENT":
        yield "its head says %r" % [d["spdxVersion"], d["dataLicense"], d["SPDXID"]]
    if not re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", d["documentNamespace"]):
        yield "namespace %s" % d["documentNamespace"]
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", d["creationInfo"]["created"]):
        yield "created %s" % d["creationInfo"]["created"]
    if not all(re.match(r"(Tool|Person|Organization): ?\S", c) for c in d["creationInfo"]["creators"] or [""]):
        yield "creators %s" % d["creationInfo"]["creators"]
    ids = [p["SPDXID"] for p in d["packages"]]
    yield from ("%s is there twice" % i for i in set(ids) if ids.count(i) > 1)
    for p in d["packages"]:
        yield from ("%s: %s" % (p["name"], k) for k in p.keys() ^ PACKAGE_KEYS
                    if k not in PACKAGE_KEYS or k not in ("packageFileName", "checksums", "comment"))
        if not re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", p["SPDXID"]) or not re.fullmatch(LICENCES, p["licenseDeclared"]):
            yield "%s, %s" % (p["SPDXID"], p["licenseDeclared"])
        yield from ("%s: %s" % (p["name"], c) for c in p.get("checksums", [])
                    if c["algorithm"] != "SHA256" or not re.fullmatch("[0-9a-f]{64}", c["checksumValue"]))
        yield from ("%s: %s" % (p["name"], r) for r in p["externalRefs"] if r["referenceCategory"] != "PACKAGE-MANAGER" or
                    r["referenceType"] != "purl" or not re.fullmatch(r"pkg:(deb/debian|generic)/[a-z0-9.+-]+@[\w.%~-]+(\?\S+)?",
                                                                     r["referenceLocator"]))
    for r in d["relationships"]:
        yield from ("%s leads nowhere" % end for end in (r["spdxElementId"], r["relatedSpdxElement"])
                    if end not in ids + ["SPDXRef-DOCUMENT"])
        if r["relationshipType"] not in ("DESCRIBES", "STATIC_LINK", "BUILD_DEPENDENCY_OF", "BUILD_TOOL_OF"):
            yield r["relationshipType"]


def owner(path):
    """The package that a linked file belongs to; None: nobody's."""
    for pattern, name in (("^build/obj/(libpresenced|src/)", "presenced"), ("^build/obj/bearssl/", "bearssl"),
                          ("^build/obj/libhiredis", "hiredis"), ("-linux-musl/", "musl"), ("/gcc/", "libgcc")):
        if re.search(pattern, path):
            return name
    return None


def parts():
    # A tree without its history has no date of its own.
    date = {} if sbom.output("git", "log", "-1", "--format=%ct") else {"SOURCE_DATE_EPOCH": "0"}
    said = [run("scripts/sbom", env={**os.environ, **date, **more}) for more in ({}, {"TZ": "Pacific/Auckland", "LC_ALL": "C"},
                                                                                 {"SOURCE_DATE_EPOCH": "981173106"})]
    if any(s.returncode for s in said):
        ok(False, "scripts/sbom prints a list", "\n".join(s.stdout[-500:] for s in said))
        return
    d, dated = json.loads(said[0].stdout), json.loads(said[2].stdout)
    check("the list of parts is SPDX 2.3", spdx_faults(d))
    ok(said[0].stdout == said[1].stdout, "it is the same whenever and wherever it is printed")
    ok(dated.pop("creationInfo")["created"] == "2001-02-03T04:05:06Z" and dated == {k: v for k, v in d.items() if k != "creationInfo"},
       "SOURCE_DATE_EPOCH is its date, and changes nothing else", dated)
    found = {p["name"]: p for p in d["packages"]}
    check("it says what vendor/lock says", (
        "%s: %s" % (name, found.get(name)) for name, version, _, file, digest, licence in sbom.lock()
        if not found.get(name) or (found[name]["versionInfo"], found[name]["packageFileName"], found[name]["licenseDeclared"],
                                   found[name]["checksums"][0]["checksumValue"]) != (version, file, licence, digest)))
    linked = {r["relatedSpdxElement"][8:] for r in d["relationships"] if r["relationshipType"] == "STATIC_LINK"}
    files = {path: owner(path) for path in elf.linked("build/presenced.debug.map")}
    # jsmn is a header: no archive, but DWARF names the file.
    there = set(files.values()) | ({"jsmn"} if b"jsmn.h\0" in elf.read("build/presenced.debug") else set())
    ok(linked | {"presenced"} == there, "it names what the linker took, and nothing else", "%s\n%s" % (linked, files))
    ok(found["presenced"]["checksums"][0]["checksumValue"] == sbom.sha256("build/presenced") and
       run("build/presenced", "--version").stdout.split()[1] == found["presenced"]["versionInfo"], "it names this file, by its sum")
    ok("://" not in said[0].stdout, "it names no host")


# --- the unit ---

def credentials():
    """What LoadCredential=etc:DIRECTORY makes of a small /etc/presenced: (directory, ExecStart's words behind the program)."""
    where = os.path.join(work.name, "credentials")
    os.makedirs(where, exist_ok=True)
    os.chmod(work.name, 0o755)
    with open(os.path.join(where, "etc_jwt-secret"), "w") as f:
        f.write("a secret of thirty-two bytes, or more")
    with open(os.path.join(where, "etc_presenced.conf"), "w") as f:
        f.write("listen = 127.0.0.1:0\njwt-secret-file = %s/etc_jwt-secret\n" % where)
    for name in os.listdir(where):
        os.chmod(os.path.join(where, name), 0o444)
    program, *words = shlex.split(confine.service(UNIT)["ExecStart"][0].replace("${CREDENTIALS_DIRECTORY}", where))
    assert program == "/usr/local/bin/presenced", program
    return words


def exposure():
    if not shutil.which("systemd-analyze"):
        ok(True, "the unit's exposure is at most %.1f # SKIP no systemd-analyze here" % EXPOSURE_MAX)
        return
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", UNIT).stdout
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    ok(level and float(level[1]) <= EXPOSURE_MAX, "the unit's exposure is %s, at most %.1f" % (level and level[1], EXPOSURE_MAX), said)
    copy = os.path.join(work.name, "presenced.service")
    with open(copy, "w") as f:
        f.write(text(UNIT).replace("/usr/local/bin/presenced", BINARY))
    said = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", copy)
    ok(said.returncode == 0 and "presenced.service" not in said.stdout, "systemd-analyze verify has nothing to say", said.stdout)


def unit_runs():
    words = credentials()
    said = run(BINARY, "check", *words, env=environment(), cwd="/")
    ok(said.returncode == 0, "presenced check takes the unit's command line", said.stdout)
    wanted = {"Type": "exec", "DynamicUser": "yes", "NoNewPrivileges": "yes", "ProtectSystem": "strict",
              "CapabilityBoundingSet": "", "MemoryDenyWriteExecute": "yes", "LimitCORE": "0", "ExecReload": "/bin/kill -HUP $MAINPID"}
    unit = confine.service(UNIT)
    check("it has what it is judged by", ("%s=%s" % (k, unit.get(k)) for k, v in wanted.items() if unit.get(k) != [v]))
    name = "confined as the unit says it starts, answers, reloads and stops"
    why = confine.missing()
    if why:
        ok(True, "%s # SKIP %s" % (name, why))
        return
    prefix = [os.path.abspath("test/supply/confine.py"), os.path.abspath(UNIT)]
    ended = [run(*prefix, sys.executable, "-c", "import os, socket; " + what).returncode for what in (
        "os.chroot('/')", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)", "socket.socket()")]
    ok(ended == [-signal.SIGSYS, -signal.SIGSYS, 0], "confined so, a call or a family that the unit does not name kills", ended)
    server = Server(*words, listen=(), listeners=1, prefix=prefix)
    try:
        healthy = run(BINARY, "healthcheck", "http://127.0.0.1:%d" % server.port, env=environment()).returncode
        os.kill(server.pid, signal.SIGHUP)
        again = run(BINARY, "healthcheck", "http://127.0.0.1:%d" % server.port, env=environment()).returncode
        status = text("/proc/%d/status" % server.pid)
        wrong = [k for k, v in (("Seccomp", "2"), ("Seccomp_filters", "2"), ("NoNewPrivs", "1"), ("CapEff", "0" * 16))
                 if k + ":" in status and not re.search(r"^%s:\s*%s$" % (k, v), status, re.M)]  # the filters: since Linux 5.9
    finally:
        why = server.stop()
    ok((healthy, again, wrong, why) == (0, 0, [], None), name, "%s" % [healthy, again, wrong, why, server.log()[-2000:]])


# --- the image ---

def image():
    last = text("Dockerfile.scratch").split("\nFROM scratch\n")[1]
    steps = [line for line in last.splitlines() if line and not line.startswith("#")]
    ok([s for s in steps if s.split()[0] in ("COPY", "ADD", "RUN")] == ["COPY --from=build /src/build/presenced /presenced"],
       "the image holds one file", last)
    ok("USER 65532:65532" in steps, "it runs as nobody's uid")
    ok(re.search(r'^HEALTHCHECK .*CMD \["/presenced", "healthcheck"\]$', last, re.M) and 'ENTRYPOINT ["/presenced"]' in steps,
       "the file is its own health check, and nothing asks for a shell")
    words = json.loads(re.search(r"^CMD (\[.*\])$", last, re.M)[1])
    said = run(BINARY, "check", *words, env={}, cwd="/")
    ok(said.returncode == 0, "presenced check takes what it is started with", said.stdout)


# --- SECURITY.md ---

def security():
    page = text("SECURITY.md")
    paths = set(re.findall(r"`((?:test|fuzz|scripts|src|vendor)/[\w./-]+)`", page)) | set(re.findall(r"\]\((?!#)([\w./-]+)\)", page))
    check("every file that SECURITY.md names is there", (p for p in sorted(paths) if not os.path.exists(p)))
    anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", page, re.M)}
    check("every section that it refers to is there", (a for a in re.findall(r"\]\(#([^)]*)\)", page) if a not in anchors))
    options = set(re.findall(r"^\| `([a-z-]+)`", run(BINARY, "--help=markdown").stdout, re.M))
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)(?:=[^`]*)?`", page)) - {"build-essential"}
    check("every option that it names is one", (n for n in sorted(named) if n not in options))
    targets = set(re.findall(r"`make ([a-z-]+)`", page))
    makefiles = "".join(text(p) for p in ["Makefile"] + glob.glob("test/*/*.mk") + glob.glob("fuzz/*.mk"))
    check("every make target that it names is one", (t for t in sorted(targets) if not re.search(r"^%s:" % t, makefiles, re.M)))


CASES = [hardened, badly_built, parts, exposure, unit_runs, image, security]
for one in CASES:
    if len(sys.argv) < 2 or sys.argv[1] in one.__name__:
        try:
            one()
        except Exception:
            ok(False, one.__name__, traceback.format_exc())
end()

#!/usr/bin/python3
"""scripts/tap, which counts all tests: what it says of programs that pass, fail, crash, hang, end early, and of a machine that stood still.

A row: its name, the arguments, what the lines must hold, what the last one must be, the exit code. A program is named after what it does.
"""
import os, re, signal, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = {
    "passes": "echo 'ok 1 - one'; echo 'ok 2 - two'; echo 1..2",
    "plan-first": "echo 1..1; echo 'ok 1 - one'",
    "fails": "echo 'ok 1 - one'; echo 'not ok 2 - two'; echo '# because'; echo 1..2; exit 1",
    "skips": "echo 'ok 1 - one # SKIP no such machine'; echo 1..1",
    "skips-all": "echo '1..0 # SKIP not here'",
    "crashes": "echo 'ok 1 - one'; kill -SEGV $$",
    "hangs": "echo 'ok 1 - one'; sleep 60 & wait",
    "ends-early": "echo 1..3; echo 'ok 1 - one'",
    "plans-nothing": "echo 'ok 1 - one'",
    "says-nothing": "true",
    "plans-none": "echo 1..0",
    "exits-1": "echo 'ok 1 - one'; echo 1..1; exit 1",
    "fails-once": "sleep 0.6; [ -e been ] && echo 'ok 1 - one' || echo 'not ok 1 - one'; : >been; echo 1..1",
    "crashes-late": "sleep 0.6; echo 'not ok 1 - one'; kill -SEGV $$",
    "server-crashes": "sleep 0.6; echo 'not ok 1 - one'; echo '# ERROR: AddressSanitizer: heap-use-after-free'; echo 1..1",
    "fails-twice": "sleep 0.6; echo 'not ok 1 - one'; echo 1..1",
    "nice": "[ $(nice) = 19 ] && echo 'ok 1 - gives way' || echo 'not ok 1 - gives way'; echo 1..1",
    "slow": "sleep 0.7; : >ended; echo 'ok 1 - one'; echo 1..1",
    "after-slow": "[ -e ended ] && echo 'ok 1 - one' || echo 'not ok 1 - one'; echo 1..1",
    "before-slow": "[ -e ended ] && echo 'not ok 1 - one' || echo 'ok 1 - one'; echo 1..1",
}
ROWS = [
    ("all pass", "passes plan-first", [], "3 passed, 0 failed", 0),
    ("a case that fails is shown with why", "passes fails", ["not ok 2 - two", "# because"], "3 passed, 1 failed", 1),
    ("what is skipped is counted apart", "skips skips-all passes", [], "2 passed, 0 failed, 2 skipped", 0),
    ("nothing but skipped is no success", "skips", [], "0 passed, 0 failed, 1 skipped", 1),
    ("a crash is a failure", "crashes passes", ["killed by SIGSEGV"], "3 passed, 1 failed", 1),
    ("who does not end is ended, with its children", "--timeout 1 hangs", ["no end after 1 s"], "1 passed, 1 failed", 1),
    ("a plan that is not met", "ends-early", ["planned 3, ran 1"], "1 passed, 1 failed", 1),
    ("no plan", "plans-nothing", ["no plan"], "1 passed, 1 failed", 1),
    ("nothing said", "says-nothing", ["no plan"], "0 passed, 1 failed", 1),
    ("nothing planned", "plans-none", ["ran nothing"], "0 passed, 1 failed", 1),
    ("an exit code that the lines do not explain", "exits-1", ["exit code 1"], "1 passed, 1 failed", 1),
    ("a program that is not there", "not-there passes", ["not-there"], "2 passed, 1 failed", 1),
    ("no program", "", ["no test ran"], "0 passed, 0 failed", 1),
    ("two at a time", "-j 2 slow before-slow", [], "2 passed, 0 failed", 0),
    ("one at a time", "-j 1 slow after-slow", [], "2 passed, 0 failed", 0),
    ("one by one behind --", "-- slow after-slow", [], "2 passed, 0 failed", 0),
    ("beside these, giving way, behind a second --", "passes -- slow -- before-slow nice", [], "5 passed, 0 failed", 0),
    ("a failure behind a second --", "-- passes -- fails", ["not ok 2 - two"], "3 passed, 1 failed", 1),
    ("a failure on a machine that ran", "fails-once", ["not ok 1 - one"], "0 passed, 1 failed", 1),
]
STILL_ROWS = [
    ("a failure while it stood still is no answer: the second run is", "-- fails-once passes",
     ["not ok 1 - one", r"stood still for 0\.\d\d s meanwhile: to be run once more"], "3 passed, 0 failed", 0),
    ("and counts", "-- fails-twice passes", ["stood still"], "2 passed, 1 failed", 1),
    ("what does not wait is not excused", "fails-once passes", ["not ok 1 - one"], "2 passed, 1 failed", 1),
    ("what computes beside is not", "-- passes -- fails-once", ["not ok 1 - one"], "2 passed, 1 failed", 1),
    ("a crash is not", "-- crashes-late passes", ["killed by SIGSEGV"], "2 passed, 2 failed", 1),
    ("nor one that a program tells of", "-- server-crashes passes", ["AddressSanitizer"], "2 passed, 1 failed", 1),
]


def tap(arguments, still):
    """Its lines and its exit code; `still`: it is stopped for a while, which it cannot tell from a machine that is."""
    with tempfile.TemporaryDirectory() as folder:
        for name, body in PROGRAMS.items():
            with open(os.path.join(folder, name), "w", opener=lambda path, flags: os.open(path, flags, 0o755)) as f:
                f.write("#!/bin/sh\n%s\n" % body)
        p = subprocess.Popen([os.path.join(ROOT, "scripts/tap")] + arguments.split(), cwd=folder, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
        if still:
            time.sleep(0.3)
            p.send_signal(signal.SIGSTOP)
            time.sleep(0.4)
            p.send_signal(signal.SIGCONT)
        out = p.communicate(timeout=30)[0]
        return out.splitlines(), p.returncode


def main():
    failed = 0
    rows = [(row, False) for row in ROWS] + [(row, True) for row in STILL_ROWS]
    for n, ((name, arguments, holds, last, code), still) in enumerate(rows, 1):
        lines, got = tap(arguments, still)
        good = lines[-1:] == [last] and got == code and all(re.search(part, "\n".join(lines)) for part in holds)
        failed += not good
        print("%s %d - %s" % ("ok" if good else "not ok", n, name), flush=True)
        for line in [] if good else lines + ["exit code %d" % got]:
            print("#   " + line)
    print("1..%d" % len(rows))
    return failed > 0


sys.exit(main())

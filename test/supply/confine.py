#!/usr/bin/python3
"""test/supply/confine.py UNIT PROGRAM [ARG]...: runs PROGRAM as far as one can as systemd would by UNIT's [Service], without systemd:
LimitNOFILE, LimitCORE, UMask, DynamicUser (as root: a uid without capabilities), NoNewPrivileges, MemoryDenyWriteExecute,
RestrictAddressFamilies and SystemCallFilter. What the last two refuse does not fail here, it kills: a call that the program makes
and does without would not be seen otherwise. The sets of calls are systemd-analyze's own.
"""
import ctypes, os, platform, re, resource, shutil, struct, subprocess, sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
NUMBERS = os.path.join(ROOT, "build/vendor/kernel-headers/asm/unistd_64.h")
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE, PR_CAPBSET_DROP = 22, 2, 38, 65, 24
ALLOW, KILL, AUDIT_ARCH_X86_64 = 0x7FFF0000, 0x80000000, 0xC000003E
LOAD, IS, RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
NUMBER_AT, ARCH_AT, FIRST_ARGUMENT_AT = 0, 4, 16
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
NOBODY = 65534


def missing():
    """Why it cannot be done here; None: it can."""
    if platform.machine() != "x86_64":
        return "only for x86_64"
    if not shutil.which("systemd-analyze"):
        return "no systemd-analyze here"
    return None if os.path.exists(NUMBERS) else "no numbers of system calls here"


def service(path):
    """key -> values, in order, of [Service]."""
    out = {}
    with open(path, encoding="utf-8") as f:
        body = f.read().split("[Service]\n")[1].split("\n[")[0]
    for line in body.splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            out.setdefault(key, []).append(value)
    return out


def sets():
    """@name -> the words under it, from systemd-analyze."""
    out, words = {}, None
    for line in subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], stdout=subprocess.PIPE, text=True,
                               check=True).stdout.splitlines():
        line = re.sub(r"\x1b\[[\d;]*m", "", line)
        if re.match(r"@\S+$", line):
            words = out.setdefault(line, [])
        elif line.startswith("#"):
            words = None
        elif words is not None and line.strip() and not line.strip().startswith("#"):
            words.append(line.strip())
    return out


def spread(words, known):
    out = set()
    for word in words:
        out |= spread(known[word], known) if word.startswith("@") else {word}
    return out


def allowed(filters):
    """The names that a unit's SystemCallFilter= lines leave: the first allows, those with ~ take away."""
    known = sets()
    calls = spread(["@default"], known)
    for line in filters:
        words = spread(line.lstrip("~").split(), known)
        calls = calls - words if line.startswith("~") else calls | words
    return calls


def numbers():
    with open(NUMBERS, encoding="utf-8") as f:
        return {name: int(n) for name, n in re.findall(r"#define __NR_(\w+) (\d+)", f.read())}


def program(calls, families):
    def step(code, k, yes=0, no=0):
        return struct.pack("=HBBI", code, yes, no, k)
    number = numbers()
    out = [step(LOAD, ARCH_AT), step(IS, AUDIT_ARCH_X86_64, 1, 0), step(RETURN, KILL), step(LOAD, NUMBER_AT)]
    for name in sorted(calls & number.keys() - {"socket"}):
        out += [step(IS, number[name], 0, 1), step(RETURN, ALLOW)]
    out += [step(IS, number["socket"], 1, 0), step(RETURN, KILL), step(LOAD, FIRST_ARGUMENT_AT)]
    for name in families:
        out += [step(IS, FAMILIES[name], 0, 1), step(RETURN, ALLOW)]
    return out + [step(RETURN, KILL)]


def confine(unit):
    """This process, from now on."""
    libc = ctypes.CDLL(None, use_errno=True)
    calls = allowed(unit["SystemCallFilter"])
    steps = program(calls, unit["RestrictAddressFamilies"][-1].split())
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = int(unit["LimitNOFILE"][-1])
    limit = wanted if hard == resource.RLIM_INFINITY or os.geteuid() == 0 else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    except (OSError, ValueError):
        pass  # a container that lets nobody raise it
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(int(unit["UMask"][-1], 8))
    if os.geteuid() == 0:
        for cap in range(64):
            libc.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if unit["MemoryDenyWriteExecute"] == ["yes"]:
        libc.prctl(PR_SET_MDWE, 1, 0, 0, 0)  # since Linux 6.3
    code = ctypes.create_string_buffer(b"".join(steps))
    head = ctypes.create_string_buffer(struct.pack("@HxxxxxxP", len(steps), ctypes.addressof(code)))
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, head, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


if __name__ == "__main__":
    confine(service(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])

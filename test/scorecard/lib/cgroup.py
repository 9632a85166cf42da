"""A memory cgroup for one server: version 1 or 2, whichever has the controller here."""
import os, time

V1, V2 = "/sys/fs/cgroup/memory", "/sys/fs/cgroup"


class NotHere(Exception):
    """Why there is none."""


def _write(path, text):
    with open(path, "w") as f:
        f.write(str(text))


class Cgroup:
    def __init__(self, limit_bytes):
        self.v2 = os.path.exists(V2 + "/cgroup.controllers")
        name = "presenced-scorecard-%d-%d" % (os.getpid(), time.monotonic_ns())
        self.path = os.path.join(V2 if self.v2 else V1, name)
        try:
            if self.v2:
                _write(V2 + "/cgroup.subtree_control", "+memory")
            os.mkdir(self.path)
            _write(self._of("memory.max" if self.v2 else "memory.limit_in_bytes"), limit_bytes)
            if not self.v2:  # else the memory of sockets is not counted: the limit is none
                _write(self._of("memory.kmem.tcp.limit_in_bytes"), 1 << 40)
        except OSError as e:
            self.close()
            raise NotHere("no memory cgroup may be made: %s" % e)

    def _of(self, name):
        return os.path.join(self.path, name)

    def _number(self, name):
        with open(self._of(name)) as f:
            return int(f.read())

    def _field(self, name, field):
        with open(self._of(name)) as f:
            return sum(int(v) for k, v in (line.split() for line in f) if k == field)

    @property
    def prefix(self):
        """Runs a command in it."""
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', self._of("cgroup.procs")]

    def bytes(self):
        """What is charged, and how much of it for sockets. Caches of files are no matter."""
        if self.v2:
            return self._number("memory.current") - self._field("memory.stat", "file"), self._field("memory.stat", "sock")
        sockets = self._number("memory.kmem.tcp.usage_in_bytes")
        return self._number("memory.usage_in_bytes") - self._field("memory.stat", "cache") + sockets, sockets

    def killed(self):
        return self._field("memory.events", "oom_kill") if self.v2 else self._field("memory.oom_control", "oom_kill")

    def close(self):
        """Once nobody is in it."""
        for _ in range(100):
            try:
                return os.rmdir(self.path)
            except FileNotFoundError:
                return None
            except OSError:
                time.sleep(0.02)

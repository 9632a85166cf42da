"""A program on a terminal: a pty, and as much of a terminal as shows what a person would see."""
import fcntl, os, pty, re, select, signal, struct, subprocess, termios, time, unicodedata

SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([@-~])")


class Terminal:
    """The screen scrolls without end: .rows are all rows ever shown, each a list of (character, attributes)."""

    def __init__(self, argv, env=None, columns=80, lines=24):
        self.columns, self.lines = columns, lines
        self.rows, self.x, self.y, self.look, self.top = [[]], 0, 0, "", 0
        self.raw, self.tail = b"", ""
        self.master, self.slave = pty.openpty()
        self.resize(columns)
        self.before = termios.tcgetattr(self.slave)
        # The pty becomes the controlling terminal: SIGWINCH, SIGHUP and job control work as for a person.
        self.process = subprocess.Popen(argv, stdin=self.slave, stdout=self.slave, stderr=self.slave, env=env,
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, columns):
        self.columns = columns
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", self.lines, columns, 0, 0))

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def is_restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def type(self, keys):
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    # what it prints

    def _row(self):
        while len(self.rows) <= self.y:
            self.rows.append([])
        row = self.rows[self.y]
        while len(row) < self.x:
            row.append((" ", ""))
        return row

    def _sequence(self, parameters, last):
        first = int(parameters.split(";")[0]) if re.match(r"\d", parameters) else 0
        if last == "m":
            self.look = "" if first == 0 else self.look + parameters + "m"
        elif last == "K":
            del self._row()[self.x:]
        elif last == "C":
            self.x = min(self.columns - 1, self.x + max(1, first))
        elif last == "H":
            self.x, self.y = 0, self.top
        elif last == "J":
            del self.rows[self.top:]
            self._row()
        else:
            raise AssertionError("an unexpected sequence: ESC [ %s %s" % (parameters, last))

    def _character(self, c):
        if c == "\r":
            self.x = 0
        elif c == "\n":
            self.y += 1
            self._row()
            self.top = max(self.top, self.y - self.lines + 1)
        else:
            assert c >= " " and not "\x7f" <= c <= "\x9f", "a control character: %r" % c
            if unicodedata.combining(c):
                row = self._row()
                row[self.x - 1] = (row[self.x - 1][0] + c, row[self.x - 1][1])
                return
            width = 2 if unicodedata.east_asian_width(c) in "WF" else 1
            if self.x + width > self.columns:
                self.x, self.y = 0, self.y + 1
                self.top = max(self.top, self.y - self.lines + 1)
            self._row()[self.x:self.x + width] = [(c, self.look)] + [("", self.look)] * (width - 1)
            self.x += width

    def read(self, seconds):
        """Shows what comes within this time; False at the end."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.raw += data
        text = self.tail + data.decode("utf-8", "surrogateescape")
        cut = re.search(r"\x1b(\[[0-9;?]*)?$|[\udc80-\udcff]+$", text)
        self.tail = text[cut.start():] if cut else ""
        text = text[:cut.start()] if cut else text
        text = text.encode("utf-8", "surrogateescape").decode("utf-8")
        while text:
            m = SEQUENCE.match(text)
            if m:
                self._sequence(m[1], m[2])
            else:
                self._character(text[0])
            text = text[m.end() if m else 1:]
        return data != b""

    def text(self):
        return ["".join(c for c, _ in row).rstrip() for row in self.rows]

    def row(self):
        """The row of the cursor, and the column of the cursor in it."""
        return "".join(c for c, _ in self._row()).rstrip(), self.x

    def looks(self, piece):
        """The attributes of the last place where this text stands on the screen."""
        for row in reversed(self.rows):
            line = "".join(c for c, _ in row)
            at = line.rfind(piece)
            if at >= 0:
                return {a for _, a in row[at:at + len(piece)]}
        raise AssertionError("%r is not on the screen:\n%s" % (piece, "\n".join(self.text())))

    def wait(self, holds, what="", seconds=5):
        """Reads until holds() is true, of the screen as it then is."""
        limit = time.monotonic() + seconds
        while not holds():
            left = limit - time.monotonic()
            if left <= 0 or not self.read(min(left, 0.2)) and not holds():
                raise AssertionError("waited for %s; the screen:\n%s\n%r" % (what, "\n".join(self.text()), self.row()))

    def wait_text(self, pattern, seconds=5):
        self.wait(lambda: re.search(pattern, "\n".join(self.text()), re.M), repr(pattern), seconds)

    def wait_row(self, pattern, column=None, seconds=5):
        self.wait(lambda: re.search(pattern, self.row()[0] + " ") and column in (None, self.x),
                  "a row %r, cursor %r" % (pattern, column), seconds)

    def send_signal(self, number):
        self.process.send_signal(number)

    def exit_code(self, seconds=10):
        limit = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < limit:
            self.read(0.05)
        while select.select([self.master], [], [], 0.05)[0] and self.read(0):
            pass
        if self.process.poll() is None:
            raise AssertionError("still there after %d s:\n%s" % (seconds, "\n".join(self.text())))
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

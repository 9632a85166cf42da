/*
 * The one writable variable of the tools: a signal handler has no other way to know what to restore. It is
 * written while no handler is installed, then only read.
 */
#include "tool/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct {
	volatile sig_atomic_t is_raw;
	struct termios before;
} terminal;

static const int crashes[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2 };

/* A signal may come while it waits for what was written. */
static bool set(const struct termios *t)
{
	int result;

	do
		result = tcsetattr(STDIN_FILENO, TCSADRAIN, t);
	while (result != 0 && errno == EINTR);
	return result == 0;
}

void terminal_restore(void)
{
	if (!terminal.is_raw)
		return;
	terminal.is_raw = 0;
	set(&terminal.before);
}

/* The handler is gone when it runs (SA_RESETHAND): the signal, raised again, ends the process as it would
 * have. */
static void crash(int number)
{
	terminal_restore();
	raise(number);
}

bool terminal_raw(void)
{
	struct sigaction act = { .sa_handler = crash, .sa_flags = (int)SA_RESETHAND };
	struct termios raw;

	if (!terminal.is_raw && tcgetattr(STDIN_FILENO, &terminal.before) != 0)
		return false;
	raw = terminal.before;
	raw.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INLCR | IGNCR | INPCK | ISTRIP | IXON);
	raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG);
	raw.c_cflag |= CS8;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	terminal.is_raw = 1;
	if (!set(&raw)) {
		terminal.is_raw = 0;
		return false;
	}
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		sigaction(crashes[i], &act, NULL);
	return true;
}

unsigned terminal_columns(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

static bool is_dumb(void)
{
	const char *term = getenv("TERM");

	return term == NULL || *term == '\0' || strcmp(term, "dumb") == 0;
}

bool terminal_has_colour(void)
{
	const char *no_color = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !is_dumb() && (no_color == NULL || *no_color == '\0');
}

bool terminal_can_edit(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !is_dumb();
}

/*
 * Invariant: l->fd >= 0 from open() to close() unless counting. Constants are the kernel's (its
 * include/uapi/linux/landlock.h and stat.h): the headers of the machine that builds may be older than the
 * kernel that runs.
 */
#include "net/landlock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	VERSION_FLAG = 1,
	RULE_PATH = 1,
	RULE_PORT = 2,
	READ_FILE = 1 << 2,
	REMOVE_FILE = 1 << 5,
	BIND_TCP = 1 << 0,
	CONNECT_TCP = 1 << 1,
	SCOPES = 1 << 0 | 1 << 1,       /* abstract unix sockets, signals */
	ABI_TCP = 4,
	ABI_SCOPES = 6,
	ABI_MAX = 7,
	MOUNT_ROOT = 0x2000,            /* STATX_ATTR_MOUNT_ROOT */
};

/* All rights to files of an ABI: execute, write, read; the making and removing of each kind (1); refer (2);
 * truncate (3); ioctl of devices (5). */
static const uint64_t file_rights[ABI_MAX + 1] = {
	0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff, 0xffff, 0xffff,
};

struct attributes {
	uint64_t files, tcp, scoped;
};

struct path_rule {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

struct port_rule {
	uint64_t allowed, port;
};

/* struct statx, as far as it is looked at. */
struct mount_facts {
	uint32_t mask, block_bytes;
	uint64_t attributes;
	uint8_t rest[240];
};

static int version(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION_FLAG);

	return abi < 0 ? 0 : abi < ABI_MAX ? (int)abi : ABI_MAX;
}

/* An older kernel takes fewer attributes. */
static size_t attribute_bytes(int abi)
{
	if (abi < ABI_TCP)
		return sizeof(uint64_t);
	return abi < ABI_SCOPES ? 2 * sizeof(uint64_t) : sizeof(struct attributes);
}

void landlock_open(struct landlock *l, landlock_seen *seen, bool any_port)
{
	struct attributes a = { .tcp = BIND_TCP, .scoped = SCOPES };

	*l = (struct landlock){ .fd = -1, .abi = version(), .seen = seen, .any_port = any_port };
	if (seen != NULL || l->abi == 0)
		return;
	a.files = file_rights[l->abi];
	if (!any_port)
		a.tcp |= CONNECT_TCP;
	l->fd = (int)syscall(SYS_landlock_create_ruleset, &a, attribute_bytes(l->abi), 0);
	l->failed = l->fd < 0;
}

/* --- paths --- */

static void note(struct landlock *l, const struct stat *st, const char *path, bool is_removal)
{
	struct landlock_place *end = &l->places[l->place_count];

	for (const struct landlock_place *p = l->places; p < end; p++)
		if (p->device == st->st_dev && p->inode == st->st_ino)
			return;
	if (l->place_count == LANDLOCK_PLACES_MAX)
		return;
	*end = (struct landlock_place){ st->st_dev, st->st_ino };
	l->place_count++;
	if (l->seen != NULL)
		l->seen(path, S_ISDIR(st->st_mode), is_removal);
}

/* Rules of one place add up. */
static void allow(struct landlock *l, const char *path, uint64_t right)
{
	struct path_rule rule = { .allowed = right, .fd = open(path, O_PATH | O_CLOEXEC) };
	struct stat st;

	if (rule.fd < 0) {
		l->failed |= errno != ENOENT && errno != ENOTDIR && errno != EACCES;
		return;
	}
	if (fstat(rule.fd, &st) == 0)
		note(l, &st, path, right == REMOVE_FILE);
	if (l->fd >= 0 && syscall(SYS_landlock_add_rule, l->fd, RULE_PATH, &rule, 0) != 0)
		l->failed = true;
	close(rule.fd);
}

static bool is_mounted(const char *path)
{
	struct mount_facts facts = { .attributes = 0 };

	return syscall(SYS_statx, AT_FDCWD, path, 0, 0, &facts) == 0 &&
	       (facts.attributes & MOUNT_ROOT) != 0;
}

/* False: too long. */
static bool terminated(struct str path, char out[PATH_MAX])
{
	if (path.n == 0 || path.n >= PATH_MAX)
		return false;
	memcpy(out, path.p, path.n);
	out[path.n] = '\0';
	return true;
}

static bool find(const char *path, struct stat *st)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	bool found = fd >= 0 && fstat(fd, st) == 0;

	if (fd >= 0)
		close(fd);
	return found;
}

/* By whatever name: "" is what directory_of() leaves of it, and "." may be it. */
static bool is_root(const char *directory)
{
	struct stat it, root;

	if (directory[0] == '\0')
		return true;
	return find(directory, &it) && find("/", &root) &&
	       it.st_dev == root.st_dev && it.st_ino == root.st_ino;
}

/* Cuts the path at its last slash, which *slash is set to, or NULL: "/a/b" to "/a", "/b" to "", and of "b" it
 * is ".". */
static const char *directory_of(char *path, char **slash)
{
	*slash = strrchr(path, '/');
	if (*slash == NULL)
		return ".";
	**slash = '\0';
	return path;
}

/* Reading in the directory of a path; of one in the root, of that alone. */
static void allow_around(struct landlock *l, char *path)
{
	char *slash;
	const char *directory = directory_of(path, &slash);

	if (!is_root(directory)) {
		allow(l, directory, READ_FILE);
		return;
	}
	if (slash != NULL)
		*slash = '/';
	allow(l, path, READ_FILE);
}

static void allow_real(struct landlock *l, const char *path)
{
	char *real = realpath(path, NULL); /* two buffers of PATH_MAX are too much for a stack */

	if (real != NULL)
		allow_around(l, real);
	free(real);
}

/* Is this a link to something beside it? */
static bool is_turned(const char *path)
{
	char to[NAME_MAX + 1];
	ssize_t n = readlink(path, to, sizeof(to));

	return n > 0 && n < (ssize_t)sizeof(to) && memchr(to, '/', (size_t)n) == NULL;
}

/* Directories on the way that are links to others beside them ("..data", "current"), and may be turned.
 * `path` is cut, and whole again. */
static void allow_turns(struct landlock *l, char *path)
{
	for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		const char *directory;
		char *above;

		*slash = '\0';
		if (is_turned(path)) {
			directory = directory_of(path, &above);
			if (!is_root(directory))
				allow(l, directory, READ_FILE);
			if (above != NULL)
				*above = '/';
		}
		*slash = '/';
	}
}

void landlock_allow_file(struct landlock *l, struct str path)
{
	char name[PATH_MAX];

	if (!terminated(path, name))
		return;
	if (is_mounted(name)) {
		allow(l, name, READ_FILE);
		return;
	}
	allow_real(l, name);
	allow_turns(l, name);
	allow_around(l, name);
}

void landlock_allow_removal(struct landlock *l, struct str path)
{
	char name[PATH_MAX], *slash;
	const char *directory;

	if (!terminated(path, name))
		return;
	directory = directory_of(name, &slash);
	allow(l, directory[0] == '\0' ? "/" : directory, REMOVE_FILE);
}

void landlock_allow_port(struct landlock *l, uint16_t port)
{
	struct port_rule rule = { CONNECT_TCP, port };

	/* The kernel refuses rules for what is not fenced. */
	if (l->fd >= 0 && l->abi >= ABI_TCP && !l->any_port &&
	    syscall(SYS_landlock_add_rule, l->fd, RULE_PORT, &rule, 0) != 0)
		l->failed = true;
}

bool landlock_close(struct landlock *l, bool enter)
{
	if (l->fd < 0)
		return false;
	enter = enter && !l->failed && syscall(SYS_landlock_restrict_self, l->fd, 0) == 0;
	close(l->fd);
	l->fd = -1;
	return enter;
}

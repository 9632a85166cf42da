#include "net/certificates.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "net/machine.h"

/* What reading needs beside the result: too much for a stack, and wiped before it goes. */
struct reader {
	char text[CERTIFICATES_FILE_BYTES_MAX];
	uint8_t der[CERTIFICATES_FILE_BYTES_MAX];
};

bool certificates_wanted(const struct server_config *cfg)
{
	for (uint32_t i = 0; i < cfg->listener_count; i++)
		if (cfg->listeners[i].tls)
			return true;
	return false;
}

static const char *read_all(int fd, char *out, size_t cap, size_t *n)
{
	for (*n = 0;;) {
		ssize_t got = read(fd, out + *n, cap - *n);

		if (got == 0)
			return NULL;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return strerror(errno);
		*n += (size_t)got;
		if (*n == cap)
			return "is larger than 64 KiB";
	}
}

static const char *read_file(struct str path, char *out, size_t cap, size_t *n)
{
	char name[4096];
	const char *why;
	int fd;

	if (path.n >= sizeof(name))
		return strerror(ENAMETOOLONG);
	memcpy(name, path.p, path.n);
	name[path.n] = '\0';
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return strerror(errno);
	why = read_all(fd, out, cap, n);
	close(fd);
	return why;
}

static bool fail(struct certificates_report *report, const char *option, struct str path, const char *why)
{
	snprintf(report->error, sizeof(report->error), "--%s: \"%.*s\": %s", option, (int)path.n,
	         path.p, why);
	return false;
}

static bool load_pair(struct certificate *c, struct str cert, struct str key, struct reader *r,
                      struct certificates_report *report)
{
	const char *why;
	size_t n;

	why = read_file(cert, r->text, sizeof(r->text), &n);
	if (why == NULL)
		why = certificate_read_chain(c, str_of(r->text, n));
	if (why != NULL)
		return fail(report, "tls-cert", cert, why);
	why = read_file(key, r->text, sizeof(r->text), &n);
	if (why == NULL)
		why = certificate_read_key(c, str_of(r->text, n), r->der, sizeof(r->der));
	if (why != NULL)
		return fail(report, "tls-key", key, why);
	return true;
}

static void check_dates(const struct certificate *c, struct str path, wall_t now,
                        struct certificates_report *report)
{
	const char *what = now.ms > c->not_after.ms ? "has expired" : "is not valid yet";

	if (now.ms <= c->not_after.ms && now.ms >= c->not_before.ms)
		return;
	snprintf(report->warning, sizeof(report->warning), "--tls-cert: \"%.*s\": the certificate %s",
	         (int)path.n, path.p, what);
}

static bool load(struct certificates *out, const struct tls_config *cfg, wall_t now, struct reader *r,
                 struct certificates_report *report)
{
	for (uint32_t i = 0; i < cfg->pair_count; i++) {
		if (!load_pair(&out->v[i], cfg->pairs[i].cert, cfg->pairs[i].key, r, report))
			return false;
		check_dates(&out->v[i], cfg->pairs[i].cert, now, report);
		out->count++;
	}
	return true;
}

bool certificates_load(struct certificates *out, const struct tls_config *cfg, wall_t now,
                       struct certificates_report *report)
{
	struct reader *r;
	bool good;

	report->error[0] = report->warning[0] = '\0';
	out->count = 0;
	if (cfg->pair_count == 0) {
		snprintf(report->error, sizeof(report->error),
		         "--listen: ,tls needs tls-cert and tls-key");
		return false;
	}
	r = machine_memory(sizeof(*r));
	if (r == NULL)
		return fail(report, "tls-cert", cfg->pairs[0].cert, "no memory to read it into");
	good = load(out, cfg, now, r, report);
	explicit_bzero(r, sizeof(*r));
	machine_memory_free(r, sizeof(*r));
	if (!good)
		certificates_wipe(out);
	return good;
}

void certificates_wipe(struct certificates *c)
{
	for (uint32_t i = 0; i < TLS_PAIRS_MAX; i++)
		if (c->v[i].chain_count > 0)
			explicit_bzero(c->v[i].secret, sizeof(c->v[i].secret));
	c->count = 0;
}

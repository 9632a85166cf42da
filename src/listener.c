/* A listener's text has three parts, each with a function: place (address and port, or path), parameters,
 * dialect. */
#include "listener.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"

enum { ADDRESS_TEXT_BYTES = 46 }; /* INET6_ADDRSTRLEN, the NUL included */

static bool fault(char why[LISTENER_WHY_BYTES], const char *text)
{
	snprintf(why, LISTENER_WHY_BYTES, "%s", text);
	return false;
}

/* Splits at the first `sep`; without one the head is all of it and the tail absent. */
static void split(struct str s, char sep, struct str *head, struct str *tail)
{
	const char *at = s.n == 0 ? NULL : memchr(s.p, sep, s.n);

	*head = at == NULL ? s : str_of(s.p, (size_t)(at - s.p));
	*tail = at == NULL ? STR_NONE : str_of(at + 1, s.n - head->n - 1);
}

static bool is_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* ::1, and 127.0.0.0/8 written as ::ffff:a.b.c.d. */
static bool is_loopback6(const uint8_t a[16])
{
	if (is_zero(a, 15))
		return a[15] == 1;
	return is_zero(a, 10) && a[10] == 0xff && a[11] == 0xff && a[12] == 127;
}

static bool address_parse(struct str host, bool brackets, struct listener_config *l)
{
	char text[ADDRESS_TEXT_BYTES];
	uint8_t bytes[16];

	if (!brackets && host.n == 0)
		host = STR("0.0.0.0");
	if (!brackets && str_eq_nocase(host, STR("localhost")))
		host = STR("127.0.0.1");
	if (host.n == 0 || host.n >= sizeof(text))
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (inet_pton(brackets ? AF_INET6 : AF_INET, text, bytes) != 1)
		return false;
	l->address = host;
	l->is_loopback = brackets ? is_loopback6(bytes) : bytes[0] == 127;
	return true;
}

static bool place_parse(struct str s, struct listener_config *l, char why[LISTENER_WHY_BYTES])
{
	bool brackets = s.n > 0 && s.p[0] == '[';
	struct str host, port;
	uint64_t number;

	if (brackets) {
		split(str_of(s.p + 1, s.n - 1), ']', &host, &port);
		if (str_absent(port) || (port.n > 0 && port.p[0] != ':'))
			return fault(why, "is not [ADDRESS]:PORT");
		port = port.n == 0 ? STR_NONE : str_of(port.p + 1, port.n - 1);
	} else {
		split(s, ':', &host, &port);
		if (!str_absent(port) && port.n > 0 && memchr(port.p, ':', port.n) != NULL)
			return fault(why, "is not ADDR:PORT (an IPv6 address stands in brackets)");
	}
	if (str_absent(port))
		return fault(why, "has no port (ADDR:PORT)");
	if (!address_parse(host, brackets, l))
		return fault(why,
			     "does not begin with a literal address or localhost (names are not looked up)");
	if (port.n > 5 || !units_count(port, &number) || number > UINT16_MAX)
		return fault(why, "does not end in a port from 0 to 65535");
	l->port = (uint16_t)number;
	return true;
}

static bool path_parse(struct str path, struct listener_config *l, char why[LISTENER_WHY_BYTES])
{
	if (path.n == 0 || path.n > LISTENER_PATH_BYTES_MAX)
		return fault(why, "needs a path of 1 to 107 bytes after unix:");
	l->is_unix = true;
	l->address = path;
	return true;
}

static bool parameter_parse(struct str s, struct listener_config *l, char why[LISTENER_WHY_BYTES])
{
	if (str_eq(s, STR("admin"))) {
		l->admin = true;
		return true;
	}
	if (str_eq(s, STR("tls"))) {
		l->tls = true;
		return true;
	}
	if (str_has_prefix(s, STR("dialect="))) {
		if (!dialect_find(str_of(s.p + 8, s.n - 8), &l->dialect))
			return fault(why, "names no dialect (snake, dotted, rooms, roster, upper or echo)");
		l->has_dialect = true;
		return true;
	}
	return fault(why, "has an unknown parameter (there are dialect=NAME, tls and admin)");
}

bool listener_parse(struct str s, struct listener_config *out, char why[LISTENER_WHY_BYTES])
{
	struct listener_config l = { .port = 0 };
	struct str place, rest, parameter;

	split(s, ',', &place, &rest);
	if (str_has_prefix(place, STR("unix:"))) {
		if (!path_parse(str_of(place.p + 5, place.n - 5), &l, why))
			return false;
	} else if (!place_parse(place, &l, why)) {
		return false;
	}
	while (!str_absent(rest)) {
		split(rest, ',', &parameter, &rest);
		if (!parameter_parse(parameter, &l, why))
			return false;
	}
	assert(l.address.n > 0);
	*out = l;
	return true;
}

size_t listener_put(const struct listener_config *l, char out[LISTENER_TEXT_BYTES_MAX])
{
	struct str dialect = l->has_dialect ? dialect_name(l->dialect) : STR("");
	bool v6 = !l->is_unix && memchr(l->address.p, ':', l->address.n) != NULL;
	char port[8] = "";
	int n;

	if (!l->is_unix)
		snprintf(port, sizeof(port), ":%" PRIu16, l->port);
	n = snprintf(out, LISTENER_TEXT_BYTES_MAX, "%s%s%.*s%s%s%s%.*s%s%s", l->is_unix ? "unix:" : "",
		     v6 ? "[" : "", (int)l->address.n, l->address.p, v6 ? "]" : "", port,
		     dialect.n > 0 ? ",dialect=" : "", (int)dialect.n, dialect.p, l->tls ? ",tls" : "",
		     l->admin ? ",admin" : "");
	assert(n > 0 && n < LISTENER_TEXT_BYTES_MAX);
	return (size_t)n;
}

bool listener_same(const struct listener_config *a, const struct listener_config *b)
{
	return a->is_unix == b->is_unix && a->port == b->port && (a->is_unix || a->port != 0) &&
	       str_eq(a->address, b->address);
}

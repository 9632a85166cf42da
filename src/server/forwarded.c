/*
 * Invariant of the walk: *peer is the socket's, or was named by a trusted proxy; the next entry is looked at
 * only while *peer is itself one.
 */
#include "server/forwarded.h"

#include <assert.h>

#include "server/address.h"

static bool is_in(const struct proxy_network *net, const uint8_t address[16])
{
	unsigned bytes = net->prefix_bits / 8, bits = net->prefix_bits % 8;

	assert(net->prefix_bits <= 128);
	if (memcmp(net->address, address, bytes) != 0)
		return false;
	return bits == 0 || (net->address[bytes] ^ address[bytes]) >> (8 - bits) == 0;
}

static bool is_trusted(const struct server_config *cfg, const uint8_t address[16])
{
	for (uint32_t i = 0; i < cfg->proxy_count; i++)
		if (is_in(&cfg->proxies[i], address))
			return true;
	return false;
}

/* Decimal digits of a port; nothing else. */
static bool read_port(struct str s, uint16_t *port)
{
	uint32_t v = 0;

	if (s.n == 0 || s.n > 5)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(s.p[i] - '0');
	}
	*port = (uint16_t)v;
	return v <= UINT16_MAX;
}

/* 1.2.3.4, 1.2.3.4:567, ::1, [::1], [::1]:80. False: it is none, or nobody's address; *peer is untouched. */
static bool read_entry(struct str s, struct peer *peer)
{
	bool brackets = s.n > 0 && s.p[0] == '[';
	const char *end = s.n == 0 ? NULL : memchr(s.p, brackets ? ']' : ':', s.n);
	struct str host = s, port = STR_NONE;
	struct peer read = { .port = 0 };

	if (brackets) {
		if (end == NULL)
			return false;
		host = str_of(s.p + 1, (size_t)(end - s.p) - 1);
		port = str_of(end + 1, s.n - host.n - 2);
		if (memchr(host.p, ':', host.n) == NULL || (port.n > 0 && port.p[0] != ':'))
			return false;
	} else if (end != NULL && memchr(end + 1, ':', s.n - (size_t)(end - s.p) - 1) == NULL) {
		host.n = (size_t)(end - s.p);
		port = str_of(end, s.n - host.n);
	}
	if (port.n > 0 && !read_port(str_of(port.p + 1, port.n - 1), &read.port))
		return false;
	if (!address_parse(host, read.address) || address_is_none(read.address))
		return false;
	*peer = read;
	return true;
}

/* Takes the last entry off a list, without blanks around it; the list is absent after its first. */
static struct str take_last(struct str *list)
{
	size_t from = list->n;
	struct str entry;

	while (from > 0 && list->p[from - 1] != ',')
		from--;
	entry = str_of(list->p + from, list->n - from);
	*list = from == 0 ? STR_NONE : str_of(list->p, from - 1);
	return str_trim(entry);
}

void forwarded_apply(const struct server_config *cfg, const struct http_request *req, struct peer *peer)
{
	const struct str name = STR("x-forwarded-for");
	unsigned hops = 0;

	/* Several headers are one list, in their order. */
	for (size_t i = req->header_count; i > 0; i--) {
		struct str list = req->headers[i - 1].value;

		if (!str_eq_nocase(req->headers[i - 1].name, name))
			continue;
		while (!str_absent(list)) {
			if (hops++ == FORWARDED_HOPS_MAX || !is_trusted(cfg, peer->address) ||
			    !read_entry(take_last(&list), peer))
				return;
		}
	}
}

/* Each kind of list has its functions and the separators of its items; blanks around an item do not count. */
#include "option_list.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"
#include "base/utf8.h"
#include "listener.h"
#include "server/address.h"
#include "wire/origin.h"

enum { IPV4_BITS = 32, IPV6_BITS = 128 };

struct list {
	const char *separators;
	void (*clear)(struct options *o, const struct option *row);
	bool (*add)(struct options *o, const struct option *row, struct str item, char why[OPTION_WHY_BYTES]);
	bool (*put)(const struct options *o, const struct option *row, uint32_t i,
		    char out[OPTION_VALUE_BYTES_MAX]);
};

static bool one_too_many(struct str item, unsigned max, char why[OPTION_WHY_BYTES])
{
	char quoted[OPTION_QUOTE_BYTES];

	snprintf(why, OPTION_WHY_BYTES, "%s is one too many: there may be %u",
		 option_value_quote(item, quoted), max);
	return false;
}

/* Does it hold a byte that may not stand in an item which a file holds unquoted? */
static bool has_odd_byte(struct str item)
{
	for (size_t i = 0; i < item.n; i++)
		if ((unsigned char)item.p[i] < 0x20 || item.p[i] == 0x7f || item.p[i] == '"' ||
		    item.p[i] == '\'' || item.p[i] == '#')
			return true;
	return !utf8_valid(item);
}

/* --- listeners --- */

static void listeners_clear(struct options *o, const struct option *row)
{
	(void)row;
	o->config.listener_count = 0;
}

static bool listeners_add(struct options *o, const struct option *row, struct str item,
			  char why[OPTION_WHY_BYTES])
{
	struct server_config *c = &o->config;
	struct listener_config l;
	char quoted[OPTION_QUOTE_BYTES], reason[LISTENER_WHY_BYTES];

	/* What listener_put() writes must read back, and errors must stay one line. */
	if (has_odd_byte(item))
		return option_value_malformed(row, item, why);
	option_value_quote(item, quoted);
	if (!listener_parse(item, &l, reason)) {
		snprintf(why, OPTION_WHY_BYTES, "%s %s", quoted, reason);
		return false;
	}
	for (uint32_t i = 0; i < c->listener_count; i++)
		if (listener_same(&c->listeners[i], &l)) {
			snprintf(why, OPTION_WHY_BYTES, "%s is there twice", quoted);
			return false;
		}
	if (c->listener_count == LISTENERS_MAX)
		return one_too_many(item, LISTENERS_MAX, why);
	c->listeners[c->listener_count++] = l;
	return true;
}

static bool listeners_put(const struct options *o, const struct option *row, uint32_t i,
			  char out[OPTION_VALUE_BYTES_MAX])
{
	(void)row;
	if (i < o->config.listener_count)
		listener_put(&o->config.listeners[i], out);
	return i < o->config.listener_count;
}

/* --- origins --- */

static void origins_clear(struct options *o, const struct option *row)
{
	(void)row;
	o->config.origin_count = 0;
	o->config.origins_any = false;
}

static bool origins_add(struct options *o, const struct option *row, struct str item,
			char why[OPTION_WHY_BYTES])
{
	struct server_config *c = &o->config;
	struct origin parsed;

	c->origins_given = true;
	if (str_eq(item, STR("*"))) {
		c->origins_any = true;
		return true;
	}
	if (has_odd_byte(item) || !origin_parse(item, &parsed))
		return option_value_malformed(row, item, why);
	if (c->origin_count == ORIGINS_MAX)
		return one_too_many(item, ORIGINS_MAX, why);
	c->origins[c->origin_count++] = item;
	return true;
}

static bool origins_put(const struct options *o, const struct option *row, uint32_t i,
			char out[OPTION_VALUE_BYTES_MAX])
{
	const struct server_config *c = &o->config;

	(void)row;
	if (i < c->origin_count)
		option_value_put_text(c->origins[i], out);
	else if (i == c->origin_count && c->origins_any)
		option_value_put_text(STR("*"), out);
	else
		return false;
	return true;
}

/* --- names, paths --- */

static void names_clear(struct options *o, const struct option *row)
{
	((struct name_list *)(void *)((char *)o + row->at))->n = 0;
}

static bool names_add(struct options *o, const struct option *row, struct str item,
		      char why[OPTION_WHY_BYTES])
{
	struct name_list *list = (struct name_list *)(void *)((char *)o + row->at);
	size_t max = row->kind == OPTION_PATHS ? OPTION_PATH_BYTES_MAX : URL_BYTES_MAX;

	if (!option_value_is_text(item, max))
		return option_value_malformed(row, item, why);
	if (list->n == JWT_NAMES_MAX)
		return one_too_many(item, JWT_NAMES_MAX, why);
	list->v[list->n++] = item;
	return true;
}

static bool names_put(const struct options *o, const struct option *row, uint32_t i,
		      char out[OPTION_VALUE_BYTES_MAX])
{
	const struct name_list *list = (const struct name_list *)(const void *)((const char *)o + row->at);

	if (i < list->n)
		option_value_put_text(list->v[i], out);
	return i < list->n;
}

/* --- proxies --- */

static void proxies_clear(struct options *o, const struct option *row)
{
	(void)row;
	o->config.proxy_count = 0;
}

/* Bits beyond the prefix are cleared. `unix` is nobody's address, which a unix socket's peer has. */
static bool network_parse(struct str s, struct proxy_network *out)
{
	const char *slash = memchr(s.p, '/', s.n);
	struct str host = slash == NULL ? s : str_of(s.p, (size_t)(slash - s.p));
	bool ipv6 = memchr(host.p, ':', host.n) != NULL;
	uint64_t bits_max = ipv6 ? IPV6_BITS : IPV4_BITS, bits = bits_max;
	struct proxy_network net = { .prefix_bits = IPV6_BITS };

	if (str_eq(s, STR("unix"))) {
		*out = net;
		return true;
	}
	if (!address_parse(host, net.address) ||
	    (slash != NULL && !units_count(str_of(slash + 1, s.n - host.n - 1), &bits)) || bits > bits_max)
		return false;
	net.prefix_bits = (uint8_t)(IPV6_BITS - bits_max + bits);
	for (unsigned bit = net.prefix_bits; bit < IPV6_BITS; bit++)
		net.address[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
	if (address_is_none(net.address) && net.prefix_bits == IPV6_BITS)
		return false;
	*out = net;
	return true;
}

static bool proxies_add(struct options *o, const struct option *row, struct str item,
			char why[OPTION_WHY_BYTES])
{
	struct server_config *c = &o->config;
	struct proxy_network net;

	if (!network_parse(item, &net))
		return option_value_malformed(row, item, why);
	if (c->proxy_count == PROXIES_MAX)
		return one_too_many(item, PROXIES_MAX, why);
	c->proxies[c->proxy_count++] = net;
	return true;
}

static bool proxies_put(const struct options *o, const struct option *row, uint32_t i,
			char out[OPTION_VALUE_BYTES_MAX])
{
	const struct proxy_network *net = &o->config.proxies[i];
	struct peer peer = { .port = 0 };
	struct address_text a;
	struct str host;
	bool ipv4;

	(void)row;
	if (i >= o->config.proxy_count)
		return false;
	memcpy(peer.address, net->address, sizeof(peer.address));
	a = address_text(&peer);
	host = address_str(&a);
	ipv4 = host.n > 2 && host.p[0] >= '0' && host.p[0] <= '9' &&
	       net->prefix_bits >= IPV6_BITS - IPV4_BITS;
	if (ipv4) /* 10.0.0.0:0 */
		host.n -= 2;
	else if (host.p[0] == '[') /* [2001:db8::]:0 */
		host = str_of(host.p + 1, host.n - 4);
	else if (net->prefix_bits < IPV6_BITS)
		host = STR("::");
	if (net->prefix_bits == IPV6_BITS)
		snprintf(out, OPTION_VALUE_BYTES_MAX, "%.*s", (int)host.n, host.p);
	else
		snprintf(out, OPTION_VALUE_BYTES_MAX, "%.*s/%d", (int)host.n, host.p,
			 net->prefix_bits - (ipv4 ? IPV6_BITS - IPV4_BITS : 0));
	return true;
}

/* --- all --- */

static const struct list lists[] = {
	[OPTION_LISTENERS] = { " \t", listeners_clear, listeners_add, listeners_put },
	[OPTION_ORIGINS] = { " \t,", origins_clear, origins_add, origins_put },
	[OPTION_NAMES] = { " \t,", names_clear, names_add, names_put },
	[OPTION_PATHS] = { ",", names_clear, names_add, names_put },
	[OPTION_PROXIES] = { " \t,", proxies_clear, proxies_add, proxies_put },
};

static const struct list *list_of(const struct option *row)
{
	assert(option_list_is(row));
	return &lists[row->kind];
}

bool option_list_is(const struct option *row)
{
	return row->kind < sizeof(lists) / sizeof(lists[0]) && lists[row->kind].add != NULL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_separator(const struct list *l, char c)
{
	return c != '\0' && strchr(l->separators, c) != NULL;
}

/* Takes the next item off a list; false at its end. */
static bool item_take(const struct list *l, struct str *rest, struct str *item)
{
	size_t n = 0;

	while (rest->n > 0 && (is_blank(rest->p[0]) || is_separator(l, rest->p[0])))
		*rest = str_of(rest->p + 1, rest->n - 1);
	while (n < rest->n && !is_separator(l, rest->p[n]))
		n++;
	*item = str_of(rest->p, n);
	*rest = str_of(rest->p + n, rest->n - n);
	while (item->n > 0 && is_blank(item->p[item->n - 1]))
		item->n--;
	return n > 0;
}

bool option_list_set(struct options *o, const struct option *row, struct str value, bool anew,
		     char why[OPTION_WHY_BYTES])
{
	const struct list *l = list_of(row);
	struct str rest = value, item;
	uint32_t items = 0;

	if (anew)
		l->clear(o, row);
	for (; item_take(l, &rest, &item); items++)
		if (!l->add(o, row, item, why))
			return false;
	return items > 0 || option_value_malformed(row, value, why);
}

bool option_list_put(const struct options *o, const struct option *row, uint32_t i,
		     char out[OPTION_VALUE_BYTES_MAX])
{
	return list_of(row)->put(o, row, i, out);
}

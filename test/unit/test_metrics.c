/*
 * /metrics as a scraper reads it: every line against the grammar of the text format 0.0.4, histograms against their own rules, and the
 * names that seeds 002 and 004 promise.
 */
#include <ctype.h>

#include "serving.h"
#include "server/address.h"
#include "tap.h"

enum { FAMILIES_MAX = 256, TEXT_BYTES = 1 << 18, NAME_BYTES = 96 };

struct family {
	char name[NAME_BYTES], type[16];
	unsigned samples;
	double bucket, le, count;       /* histogram: the last bucket seen, and _count */
	bool has_inf, has_sum, has_count;
};

static struct serving world;
static struct family families[FAMILIES_MAX];
static size_t family_count;
static char text[TEXT_BYTES];

static bool fault(const char *why, const char *line)
{
	printf("# %s: %.*s\n", why, (int)strcspn(line, "\n"), line);
	return false;
}

/* [a-zA-Z_:][a-zA-Z0-9_:]* into `out`; the rest behind it, or NULL. */
static const char *name(const char *p, char out[NAME_BYTES])
{
	size_t n = 0;

	if (isdigit((unsigned char)*p))
		return NULL;
	while (isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == ':')
		n++;
	if (n == 0 || n >= NAME_BYTES)
		return NULL;
	memcpy(out, p, n);
	out[n] = '\0';
	return p + n;
}

/* {name="value"}: one label at most, as we write them; `value` gets the text between the quotes. */
static const char *label(const char *p, char key[NAME_BYTES], char value[NAME_BYTES])
{
	size_t n;

	key[0] = value[0] = '\0';
	if (*p != '{')
		return p;
	p = name(p + 1, key);
	if (p == NULL || p[0] != '=' || p[1] != '"')
		return NULL;
	p += 2;
	n = strcspn(p, "\"\\\n");
	if (p[n] != '"' || p[n + 1] != '}' || n == 0 || n >= NAME_BYTES)
		return NULL;
	memcpy(value, p, n);
	value[n] = '\0';
	return p + n + 2;
}

static bool comment(const char *p)
{
	struct family *f = &families[family_count];
	char n[NAME_BYTES];
	bool help = strncmp(p, "# HELP ", 7) == 0;

	if (!help && strncmp(p, "# TYPE ", 7) != 0)
		return fault("neither HELP nor TYPE", p);
	if (name(p + 7, n) == NULL)
		return fault("no name", p);
	if (help) {
		for (size_t i = 0; i < family_count; i++)
			if (strcmp(families[i].name, n) == 0)
				return fault("a name twice", p);
		strncpy(f->name, n, NAME_BYTES - 1);
		return (p[7 + strlen(n)] == ' ' && isalnum((unsigned char)p[8 + strlen(n)])) || fault("no help", p);
	}
	if (strcmp(f->name, n) != 0)
		return fault("TYPE without HELP before it", p);
	if (sscanf(p + 7 + strlen(n), " %15[a-z]\n", f->type) != 1 ||
	    (strcmp(f->type, "counter") && strcmp(f->type, "gauge") && strcmp(f->type, "histogram")))
		return fault("unknown type", p);
	family_count++;
	return true;
}

static bool bucket(struct family *f, const char *key, const char *value, double v, const char *line)
{
	double le = strcmp(value, "+Inf") == 0 ? 1e300 : strtod(value, NULL);

	if (strcmp(key, "le") != 0 || f->has_inf || (f->samples > 0 && le <= f->le) || v < f->bucket)
		return fault("buckets are not cumulative, or out of order", line);
	f->le = le;
	f->bucket = v;
	f->has_inf = le == 1e300;
	return true;
}

static bool sample(const char *line)
{
	struct family *f = family_count == 0 ? NULL : &families[family_count - 1];
	char n[NAME_BYTES], key[NAME_BYTES], value[NAME_BYTES], *end;
	const char *p = name(line, n), *suffix;
	bool ok = true;
	double v;

	if (p == NULL || (p = label(p, key, value)) == NULL || *p != ' ' || !isdigit((unsigned char)p[1]))
		return fault("no sample", line);
	v = strtod(p + 1, &end);
	if (*end != '\n')
		return fault("no number", line);
	if (f == NULL || strncmp(n, f->name, strlen(f->name)) != 0)
		return fault("of another name than the TYPE before it", line);
	suffix = n + strlen(f->name);
	if (strcmp(f->type, "histogram") != 0)
		ok = *suffix == '\0';
	else if (strcmp(suffix, "_bucket") == 0)
		ok = bucket(f, key, value, v, line);
	else if (strcmp(suffix, "_sum") == 0)
		f->has_sum = true;
	else if (strcmp(suffix, "_count") == 0)
		f->has_count = true, f->count = v;
	else
		ok = false;
	f->samples++;
	return ok || fault("not of its type", line);
}

static bool document(void)
{
	bool ok = text[0] != '\0' && text[strlen(text) - 1] == '\n';

	family_count = 0;
	memset(families, 0, sizeof(families));
	for (const char *p = text; *p != '\0'; p = strchr(p, '\n') + 1)
		ok = (*p == '#' ? comment(p) : sample(p)) && ok;
	for (size_t i = 0; i < family_count; i++) {
		const struct family *f = &families[i];

		if (f->samples == 0)
			ok = fault("no samples", f->name);
		if (strcmp(f->type, "histogram") == 0 && !(f->has_inf && f->has_sum && f->has_count && f->bucket == f->count))
			ok = fault("+Inf, _sum or _count", f->name);
	}
	return ok;
}

static void scrape(void)
{
	struct jsonw w;

	jsonw_init(&w, text, sizeof(text) - 1);
	metrics_write(world.s, &w);
	assert(!w.failed);
	text[jsonw_bytes(&w)] = '\0';
}

static bool has(const char *line)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	return strstr(text, whole) != NULL;
}

static void promised(void)
{
	static const struct {
		const char *name, *type;
	} names[] = {
		{ "ws_connections_active", "gauge" }, { "ws_connections_current", "gauge" }, { "ws_connections_total", "counter" },
		{ "ws_messages_sent", "counter" }, { "ws_messages_received", "counter" }, { "ws_messages_total", "counter" },
		{ "ws_errors_total", "counter" }, { "ws_clients_current", "gauge" }, { "ws_message_size_bytes", "histogram" },
		{ "ws_latency_seconds", "histogram" }, { "presenced_refused_total", "counter" }, { "presenced_pool_used", "gauge" },
		{ "presenced_users_online", "gauge" }, { "presenced_uptime_seconds", "gauge" }, { "presenced_build_info", "gauge" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t k = 0;

		while (k < family_count && strcmp(families[k].name, names[i].name) != 0)
			k++;
		tap_ok(k < family_count && strcmp(families[k].type, names[i].type) == 0, "6 %s is a %s", names[i].name, names[i].type);
	}
}

static void numbers(void)
{
	static const struct {
		const char *line;
	} lines[] = {
		{ "ws_connections_total 12345678901234567890" }, { "ws_messages_total 7" }, { "ws_connections_active 4294967295" },
		{ "ws_message_size_bytes_bucket{le=\"16\"} 2" }, { "ws_message_size_bytes_bucket{le=\"64\"} 3" },
		{ "ws_message_size_bytes_bucket{le=\"10485760\"} 3" }, { "ws_message_size_bytes_bucket{le=\"+Inf\"} 4" },
		{ "ws_message_size_bytes_sum 10485794" }, { "ws_message_size_bytes_count 4" },
		{ "ws_latency_seconds_bucket{le=\"0.000025\"} 1" }, { "ws_latency_seconds_bucket{le=\"0.001\"} 1" },
		{ "ws_latency_seconds_bucket{le=\"0.0025\"} 4" }, { "ws_latency_seconds_bucket{le=\"1\"} 4" },
		{ "ws_latency_seconds_bucket{le=\"+Inf\"} 4" }, { "ws_latency_seconds_sum 0.0045" }, { "ws_latency_seconds_count 4" },
		{ "presenced_refused_total{reason=\"http_malformed\"} 9" }, { "presenced_refused_total{reason=\"engine\"} 0" },
		{ "presenced_http_responses_total{status=\"2xx\"} 5" }, { "presenced_connections{dialect=\"echo\"} 6" },
		{ "presenced_turn_seconds_max 2.05" }, { "presenced_uptime_seconds 61.001" }, { "presenced_start_time_seconds 1768392000.123" },
		{ "presenced_draining 0" },
	};
	struct metrics *m = &world.s->metrics;

	m->connections_total = 12345678901234567890u;
	m->connections = 4294967295u;
	m->messages_sent = 3;
	m->messages_received = 4;
	metrics_message_size(m, 0);
	metrics_message_size(m, 16);
	metrics_message_size(m, 17);
	metrics_message_size(m, 10485761);
	metrics_latency(m, -5, 1);
	metrics_latency(m, 1500, 3);
	m->refused[REFUSED_HTTP_MALFORMED] = 9;
	m->http_responses[2] = 5;
	m->connections_by_dialect[DIALECT_ECHO] = 6;
	m->turn_us_max = 2050000;
	world.now.mono.ms += 61001;
	server_begin_turn(world.s, world.now);
	scrape();
	tap_ok(document(), "text format 0.0.4");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		tap_ok(has(lines[i].line), "%s", lines[i].line);
}

/* The operator's other text: where a connection comes from. */
static void addresses(void)
{
	static const struct {
		uint8_t address[16];
		uint16_t port;
		const char *text;
	} rows[] = {
		{ { [10] = 0xff, [11] = 0xff, [12] = 255, [13] = 255, [14] = 255, [15] = 255 }, 65535, "255.255.255.255:65535" },
		{ { [15] = 1 }, 80, "[::1]:80" },
		{ { 0 }, 0, "unix" },
		{ { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, 443, "[2001:db8::1]:443" },
		{ { 0x20, 0x01, 0x0d, 0xb8, [7] = 1, [9] = 1, [11] = 1, [13] = 1, [15] = 1 }, 1, "[2001:db8:0:1:1:1:1:1]:1" },
		{ { 0x20, 0x01, [7] = 1, [15] = 1 }, 1, "[2001:0:0:1::1]:1" },
		{ { 0x20, 0x01, 0x0d, 0xb8, [9] = 1 }, 1, "[2001:db8:0:0:1::]:1" },
		{ { 0x20, 0x01, 0x0d, 0xb8, [7] = 1, [13] = 1 }, 1, "[2001:db8:0:1::1:0]:1" },
		{ { 0x20, 0x01, [5] = 1, [11] = 1 }, 1, "[2001:0:1::1:0:0]:1" },
		{ { 0xfe, 0x80 }, 1, "[fe80::]:1" },
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 65535,
		  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer p = { .port = rows[i].port };
		struct address_text a;
		char got[64];

		memcpy(p.address, rows[i].address, 16);
		a = address_text(&p);
		snprintf(got, sizeof(got), "%.*s", (int)a.n, a.text);
		tap_is_str(got, rows[i].text, "RFC 5952");
	}
}

int main(void)
{
	serving_defaults(&world.cfg);
	serving_start(&world);
	scrape();
	tap_ok(document(), "text format 0.0.4, of a server that did nothing");
	promised();
	numbers();
	addresses();
	serving_stop(&world);
	return tap_done();
}

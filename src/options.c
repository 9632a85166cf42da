/*
 * Sources are read from the weakest to the strongest (defaults, file, aliases, environment, flags), each
 * overwriting what was there, so that a malformed value is found wherever it stands. What needs all options
 * at once comes at the end, in finish().
 */
#include "options.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/hex.h"
#include "base/units.h"
#include "cluster/letter.h"
#include "fault.h"
#include "listener.h"
#include "option.h"
#include "option_list.h"
#include "option_value.h"
#include "options_auth.h"
#include "options_tls.h"

#define PREFIX "PRESENCED_"

enum { ORIGIN_BYTES = 256 };

static struct str str_from(const char *s)
{
	return str_of(s, strlen(s));
}

/* --- where a value comes from --- */

/* PRESENCED_TYPING_TTL */
static void env_name(const struct option *row, char *out, size_t cap)
{
	int n = snprintf(out, cap, PREFIX "%s", row->name);

	for (int i = sizeof(PREFIX) - 1; i < n && (size_t)i < cap; i++)
		if (out[i] == '-')
			out[i] = '_';
		else if (out[i] >= 'a' && out[i] <= 'z')
			out[i] = (char)(out[i] - 'a' + 'A');
}

void options_origin(const struct options *o, uint32_t row, char *out, size_t cap)
{
	const struct option_state *state = &o->state[row];

	if (state->source == OPTION_DERIVED) {
		row = state->by;
		state = &o->state[row];
	}
	switch (state->source) {
	case OPTION_DERIVED:
	case OPTION_DEFAULT: snprintf(out, cap, "default"); break;
	case OPTION_FILE:
		snprintf(out, cap, "%.*s:%" PRIu32 ": %.*s", (int)o->config_path.n, o->config_path.p,
			 state->line, (int)state->key.n, state->key.p);
		break;
	case OPTION_ALIAS: snprintf(out, cap, "%.*s", (int)state->key.n, state->key.p); break;
	case OPTION_ENV: env_name(option_at(row), out, cap); break;
	case OPTION_FLAG: snprintf(out, cap, "--%s", option_at(row)->name); break;
	}
}

/* --- one value --- */

static bool set(struct options *o, uint32_t row, const struct option_state *from, struct str value)
{
	bool anew = o->state[row].source != from->source;
	char why[OPTION_WHY_BYTES];

	o->state[row] = *from;
	if (option_value_set(o, row, str_trim(value), anew, why))
		return true;
	return fault_at(o, row, "%s", why);
}

static bool set_defaults(struct options *o)
{
	char why[OPTION_WHY_BYTES];

	for (int d = 0; d < DIALECT_COUNT; d++) {
		const struct dialect *dialect = dialect_at((enum dialect_id)d);

		o->config.message_bytes_max[d] =
			(dialect != NULL ? dialect : dialect_at(DIALECT_SNAKE))->message_bytes_max;
	}
	for (uint32_t i = 0; i < option_rows(); i++) {
		const char *fallback = option_at(i)->fallback;

		if (fallback != NULL && !option_value_set(o, i, str_from(fallback), true, why))
			return fault_say(o, "the default of %s: %s", option_at(i)->name, why);
	}
	return true;
}

/* --- flags --- */

/*
 * Takes a flag and its value off *args: `--name value` or `--name=value`. A value that begins with two dashes
 * has to be written the second way. OPTION_NONE and o->error set: not a flag, not one of ours, or without a
 * value.
 */
static uint32_t flag_take(struct options *o, char *const **args, struct str *value)
{
	struct str arg = str_from(**args), name = arg;
	char quoted[OPTION_QUOTE_BYTES], wanted[OPTION_WHY_BYTES];
	const char *equals;
	uint32_t row;

	(*args)++;
	if (!str_has_prefix(arg, STR("--")) || arg.n == 2) {
		fault_say(o, "%s is not an option (--help lists them)", option_value_quote(arg, quoted));
		return OPTION_NONE;
	}
	equals = memchr(arg.p, '=', arg.n);
	if (equals != NULL)
		name.n = (size_t)(equals - arg.p);
	row = option_by_flag(str_of(name.p + 2, name.n - 2));
	if (row == OPTION_NONE) {
		fault_say(o, "unknown option %s (--help lists them)", option_value_quote(name, quoted));
		return OPTION_NONE;
	}
	if (equals != NULL) {
		*value = str_of(equals + 1, arg.n - name.n - 1);
		return row;
	}
	if (**args == NULL || str_has_prefix(str_from(**args), STR("--"))) {
		option_value_wanted(option_at(row), wanted);
		fault_say(o, "--%s: no value is given; it takes %s", option_at(row)->name, wanted);
		return OPTION_NONE;
	}
	*value = str_from(**args);
	(*args)++;
	return row;
}

static bool read_flags(struct options *o, char *const *args)
{
	const struct option_state from = { .source = OPTION_FLAG };
	struct str value = STR_NONE;

	while (*args != NULL) {
		uint32_t row = flag_take(o, &args, &value);

		if (row == OPTION_NONE || !set(o, row, &from, value))
			return false;
	}
	return true;
}

/* --- environment --- */

/* The value of variable `name`; absent when it is not set, or empty, as container platforms write "not set".
 */
static struct str env_get(char *const *env, struct str name)
{
	for (; *env != NULL; env++) {
		struct str entry = str_from(*env);

		if (str_has_prefix(entry, name) && entry.p[name.n] == '=' && entry.n > name.n + 1)
			return str_of(entry.p + name.n + 1, entry.n - name.n - 1);
	}
	return STR_NONE;
}

/* SERVICE_PORT holds a port alone: loopback, until open_service_port() knows that strangers are asked. */
static bool listen_on_port(struct options *o, uint32_t row, const struct option_state *from, struct str port)
{
	char quoted[OPTION_QUOTE_BYTES];
	uint64_t number;

	o->state[row] = *from;
	if (!units_count(port, &number) || number > UINT16_MAX)
		return fault_at(o, row, "%s is not a port from 0 to 65535", option_value_quote(port, quoted));
	o->config.listeners[0] = (struct listener_config){
		.address = STR("127.0.0.1"),
		.port = (uint16_t)number,
		.is_loopback = true,
	};
	o->config.listener_count = 1;
	return true;
}

static bool read_aliases(struct options *o, char *const *env)
{
	for (uint32_t i = 0; i < option_rows(); i++) {
		const struct option *row = option_at(i);
		struct option_state from = { .source = OPTION_ALIAS };
		struct str value = STR_NONE;

		if (row->env != NULL) {
			from.key = str_from(row->env);
			value = str_trim(env_get(env, from.key));
		}
		if (value.n == 0)
			continue;
		if (row->kind == OPTION_LISTENERS ? !listen_on_port(o, i, &from, value)
						  : !set(o, i, &from, value))
			return false;
	}
	return true;
}

static bool read_env(struct options *o, char *const *env)
{
	const struct option_state from = { .source = OPTION_ENV };
	const struct str prefix = STR(PREFIX);

	for (; *env != NULL; env++) {
		struct str entry = str_from(*env), name;
		const char *equals = memchr(entry.p, '=', entry.n);
		char quoted[OPTION_QUOTE_BYTES];
		struct str value;
		uint32_t row;

		if (!str_has_prefix(entry, prefix) || equals == NULL)
			continue;
		name = str_of(entry.p, (size_t)(equals - entry.p));
		value = str_trim(str_of(equals + 1, entry.n - name.n - 1));
		row = option_by_env(str_of(name.p + prefix.n, name.n - prefix.n));
		if (row == OPTION_NONE)
			fault_warn(o, "%s in the environment is no option; ignored",
			     option_value_quote(name, quoted));
		else if (value.n > 0 && !set(o, row, &from, value))
			return false;
	}
	return true;
}

/* --- file --- */

/* Where the file is: the last --config, else PRESENCED_CONFIG. False: the flags cannot be read. */
static bool find_config(struct options *o, char *const *args, char *const *env)
{
	struct str value = STR_NONE, path = str_trim(env_get(env, STR(PREFIX "CONFIG")));
	struct option_state from = { .source = OPTION_ENV };
	uint32_t config = option_by_flag(STR("config"));

	while (*args != NULL) {
		uint32_t row = flag_take(o, &args, &value);

		if (row == OPTION_NONE)
			return false;
		if (row == config) {
			from.source = OPTION_FLAG;
			path = value;
		}
	}
	if (path.n == 0 && from.source == OPTION_ENV)
		return true;
	return set(o, config, &from, path);
}

static bool fail_in_line(struct options *o, uint32_t line, const char *what, struct str key)
{
	char quoted[OPTION_QUOTE_BYTES] = "";

	return fault_say(o, "%.*s:%" PRIu32 ": %s%s", (int)o->config_path.n, o->config_path.p, line, what,
		    str_absent(key) ? "" : option_value_quote(key, quoted));
}

static bool read_entry(struct options *o, enum config_file_result kind, const struct config_entry *entry)
{
	const struct option_state from = { .source = OPTION_FILE, .line = entry->line, .key = entry->key };
	uint32_t row = option_by_key(entry->key);
	char why[ORIGIN_BYTES];

	if (row == OPTION_NONE && kind == CONFIG_FILE_EMPTY)
		return true; /* a section */
	if (row == OPTION_NONE)
		return fail_in_line(o, entry->line, "unknown option ", entry->key);
	if (kind == CONFIG_FILE_EMPTY)
		return fail_in_line(o, entry->line, "no value is given for ", entry->key);
	if (str_eq(entry->key, STR("config")))
		return fail_in_line(o, entry->line, "a file cannot name another ", entry->key);
	if (!option_list_is(option_at(row)) && o->state[row].source == OPTION_FILE) {
		snprintf(why, sizeof(why), "%s is there twice, first in line %" PRIu32, option_at(row)->name,
			 o->state[row].line);
		return fail_in_line(o, entry->line, why, STR_NONE);
	}
	return set(o, row, &from, entry->value);
}

static bool parse_file(struct options *o, struct str text)
{
	struct config_file f;
	struct config_entry entry;

	config_file_init(&f, text);
	for (;;) {
		enum config_file_result r = config_file_next(&f, &entry);

		switch (r) {
		case CONFIG_FILE_END: return true;
		case CONFIG_FILE_ENTRY:
		case CONFIG_FILE_EMPTY:
			if (!read_entry(o, r, &entry))
				return false;
			break;
		case CONFIG_FILE_NO_PAIR:
			return fail_in_line(o, f.line, "neither `option = value` nor `option: value`",
					    STR_NONE);
		case CONFIG_FILE_OPEN_QUOTE:
			return fail_in_line(o, f.line, "the quotes are not closed where the value ends",
					    STR_NONE);
		case CONFIG_FILE_NOT_TEXT:
			return fail_in_line(
				o, f.line, "not a line of text (UTF-8 without control characters)", STR_NONE);
		}
	}
}

static bool read_file(struct options *o, const struct options_world *world, char *const *args,
		      char *const *env)
{
	char quoted[OPTION_QUOTE_BYTES];
	const char *reason;
	size_t n = 0;

	if (!find_config(o, args, env))
		return false;
	if (str_absent(o->config_path))
		return true;
	reason = world->read_file(world->ctx, o->config_path, o->file, OPTIONS_FILE_BYTES_MAX, &n);
	if (reason != NULL)
		return fault_at(o, option_by_flag(STR("config")), "%s cannot be read: %s",
				option_value_quote(o->config_path, quoted), reason);
	assert(n <= OPTIONS_FILE_BYTES_MAX);
	return parse_file(o, str_of(o->file, n));
}

/* --- what needs all options --- */

/* The contents of api-key-file, without the line's end. The key itself is never part of a message. */
static bool read_api_key(struct options *o, const struct options_world *world)
{
	char quoted[OPTION_QUOTE_BYTES];
	const char *reason;
	size_t n = 0;

	if (str_absent(o->api_key_path))
		return true;
	reason = world->read_file(world->ctx, o->api_key_path, o->api_key, sizeof(o->api_key), &n);
	if (reason == NULL) {
		n -= n > 0 && o->api_key[n - 1] == '\n';
		n -= n > 0 && o->api_key[n - 1] == '\r';
		for (size_t i = 0; i < n; i++)
			if (o->api_key[i] <= ' ' || o->api_key[i] > '~')
				reason = "the key holds a byte that is not visible ASCII, and could not be "
					 "sent in a header";
		if (n == 0)
			reason = "it is empty";
		else if (n > OPTIONS_KEY_BYTES_MAX)
			reason = "the key is longer than 1024 bytes";
	}
	if (reason != NULL)
		return fault_at(o, option_by_flag(STR("api-key-file")), "%s: %s",
				option_value_quote(o->api_key_path, quoted), reason);
	o->config.api_key = str_of(o->api_key, n);
	return true;
}

static bool check_user(struct options *o, const struct options_world *world)
{
	char quoted[OPTION_QUOTE_BYTES];

	if (world->has_user(world->ctx, o->rights.user))
		return true;
	return fault_at(o, option_by_flag(STR("user")), "%s: no such user",
			option_value_quote(o->rights.user, quoted));
}

static bool check_cpus(struct options *o, const struct options_world *world)
{
	char quoted[OPTION_QUOTE_BYTES];

	if (!o->config.bound || world->has_cpus(world->ctx, &o->config.cpus))
		return true;
	return fault_at(o, option_by_flag(STR("cpu-affinity")),
			"%s: this process cannot have all of these CPUs here",
			option_value_quote(o->cpu_affinity, quoted));
}

/* SERVICE_PORT alone, once it is known that whoever asks has to show a token. */
static void open_service_port(struct options *o)
{
	struct listener_config *l = &o->config.listeners[0];

	if (o->config.auth != AUTH_JWT || o->state[option_by_flag(STR("listen"))].source != OPTION_ALIAS)
		return;
	l->address = STR("0.0.0.0");
	l->is_loopback = false;
}

/* Who believes any id must be asked before strangers can send one. A unix socket has no strangers. */
static bool check_trust(struct options *o)
{
	uint32_t listen = option_by_flag(STR("listen")), auth = option_by_flag(STR("auth"));
	char text[LISTENER_TEXT_BYTES_MAX];

	if (o->config.auth != AUTH_TRUST || o->state[auth].source != OPTION_DEFAULT)
		return true;
	for (uint32_t i = 0; i < o->config.listener_count; i++) {
		const struct listener_config *l = &o->config.listeners[i];

		if (l->is_unix || l->is_loopback)
			continue;
		listener_put(l, text);
		return fault_at(o, listen,
				"%s is not a loopback address, and auth=trust believes whatever id a client "
				"gives: write --auth trust to want that",
				text);
	}
	return true;
}

/* Of what a process may open, what is not for connections. */
static uint32_t descriptors_reserve(const struct server_config *config)
{
	bool asks = config->token.has_jwks_url || config->has_user_check;

	uint32_t reserve = OPTIONS_DESCRIPTORS_RESERVE;

	if (asks)
		reserve += OPTIONS_DESCRIPTORS_OUTSIDE;
	if (config->clustered)
		reserve += OPTIONS_DESCRIPTORS_REDIS;
	return reserve;
}

static bool fit_connections(struct options *o, uint64_t descriptors_max)
{
	uint32_t row = option_by_flag(STR("max-connections")), reserve = descriptors_reserve(&o->config);
	uint64_t room = descriptors_max > reserve ? descriptors_max - reserve : 0;

	if (o->config.connections_max <= room)
		return true;
	if (o->state[row].source == OPTION_DEFAULT && room > 0) {
		fault_warn(o,
		     "max-connections is %" PRIu64 ", not %" PRIu32 ": a process may open %" PRIu64
		     " files here (ulimit -n), %" PRIu32 " of which are kept back",
		     room, o->config.connections_max, descriptors_max, reserve);
		o->config.connections_max = (uint32_t)room;
		o->connections_lowered = true;
		return true;
	}
	return fault_at(o, row,
			"%" PRIu32 " cannot be met: a process may open %" PRIu64
			" files here (ulimit -n), %" PRIu32 " of which are kept back",
			o->config.connections_max, descriptors_max, reserve);
}

/* The most connections, below what `config` says, whose memory fits; 0: not even one's does. Memory grows
 * with connections. */
static uint32_t connections_fitting(struct server_config *config, const struct options_world *world)
{
	uint32_t written = config->connections_max, fits = 0, too_many = written;

	while (too_many - fits > 1) {
		config->connections_max = fits + (too_many - fits) / 2;
		if (world->memory_of(world->ctx, config) <= world->memory_max)
			fits = config->connections_max;
		else
			too_many = config->connections_max;
	}
	config->connections_max = written;
	return fits;
}

static bool fit_memory(struct options *o, const struct options_world *world)
{
	uint32_t row = option_by_flag(STR("max-connections")), fits;
	uint64_t needed;

	if (world->memory_max == UINT64_MAX)
		return true;
	needed = world->memory_of(world->ctx, &o->config);
	if (needed <= world->memory_max)
		return true;
	fits = o->state[row].source == OPTION_DEFAULT ? connections_fitting(&o->config, world) : 0;
	if (fits > 0) {
		fault_warn(o,
		     "max-connections is %" PRIu32 ", not %" PRIu32 ": more could need more than the %" PRIu64
		     " MiB of memory that this process may use",
		     fits, o->config.connections_max, world->memory_max >> 20);
		o->config.connections_max = fits;
		o->connections_lowered = true;
		return true;
	}
	return fault_at(o, row,
			"%" PRIu32 " could need %" PRIu64 " MiB of memory, and this process may use %" PRIu64
			" MiB; a smaller max-message-size or client-buffer needs less",
			o->config.connections_max, (needed + 1048575) >> 20, world->memory_max >> 20);
}

static void draw_node_id(struct options *o, uint64_t random)
{
	o->node_id_drawn = str_eq(o->config.node_id, STR("random"));
	if (!o->node_id_drawn)
		return;
	static_assert(sizeof(o->node_id) == HEX_U64_BYTES, "a number fills it");
	hex_put_u64(o->node_id, random);
	o->config.node_id = str_of(o->node_id, sizeof(o->node_id));
}

/* Its name goes into channels and keys, where the others find it. */
static bool check_node_id(struct options *o)
{
	char quoted[OPTION_QUOTE_BYTES];

	if (!o->config.clustered || letter_is_node(o->config.node_id))
		return true;
	return fault_at(o, option_by_flag(STR("node-id")),
			"%s cannot name a node among others: with redis-url it is 1 to 64 of A-Z a-z 0-9 . _ "
			"-",
			option_value_quote(o->config.node_id, quoted));
}

/* A silent client lives by answering pings: they have to come before its time is up. */
static void check_pings(struct options *o)
{
	const struct server_config *c = &o->config;
	int64_t ping = c->ping_period_ms, silence = c->pong_wait_ms;

	if (ping == 0 || (c->heartbeat_interval_ms > 0 && c->heartbeat_interval_ms < ping))
		ping = c->heartbeat_interval_ms;
	if (silence > 0 && (ping == 0 || ping >= silence))
		fault_warn(o, "pong-wait is not longer than the time between two pings (the shorter of "
			      "ping-period and heartbeat-interval): clients that only listen will be closed");
}

static bool finish(struct options *o, const struct options_world *world)
{
	for (uint32_t i = 0; i < CMD_COUNT; i++)
		o->config.command_rate_any |= o->config.command_rate[i] > 0;
	o->config.clustered = !str_absent(o->redis_url);
	draw_node_id(o, world->random);
	check_pings(o);
	if (!options_auth_finish(o, world))
		return false;
	if (o->config.clustered && o->config.redis.tls &&
	    !options_tls_trust(o, world, option_by_flag(STR("redis-url")), "rediss"))
		return false;
	open_service_port(o);
	return check_node_id(o) && read_api_key(o, world) && options_tls_finish(o, world) &&
	       check_user(o, world) && check_cpus(o, world) && check_trust(o) &&
	       fit_connections(o, world->descriptors_max) && fit_memory(o, world);
}

bool options_load(struct options *o, const struct options_world *world, char *const *args, char *const *env)
{
	assert(o->config.listener_count == 0 && o->warning_bytes == 0);
	return set_defaults(o) && read_file(o, world, args, env) && read_aliases(o, env) &&
	       read_env(o, env) && read_flags(o, args) && finish(o, world);
}

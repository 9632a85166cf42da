/* See options_tls.h. */
#include "options_tls.h"

#include <assert.h>

#include "fault.h"
#include "listener.h"
#include "net/bundle.h"
#include "option.h"
#include "option_value.h"

static_assert((int)TLS_PAIRS_MAX >= (int)JWT_NAMES_MAX, "every file of a list has its pair");

/* The files of option `row`, one by one. */
static bool can_read(struct options *o, const struct options_world *world, uint32_t row,
		     const struct str *paths, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const char *reason = world->can_read(world->ctx, paths[i]);
		char quoted[OPTION_QUOTE_BYTES];

		if (reason != NULL)
			return fault_at(o, row, "%s: %s", option_value_quote(paths[i], quoted), reason);
	}
	return true;
}

static bool pair(struct options *o, const struct options_world *world)
{
	const struct name_list *certs = &o->tls_certs, *keys = &o->tls_keys;
	uint32_t cert = option_by_flag(STR("tls-cert")), key = option_by_flag(STR("tls-key"));

	if (certs->n != keys->n)
		return fault_at(o, certs->n > keys->n ? cert : key,
				"tls-cert is given %u and tls-key %u times: they are pairs, by their order",
				(unsigned)certs->n, (unsigned)keys->n);
	for (uint32_t i = 0; i < certs->n; i++) {
		o->config.tls.pairs[i].cert = certs->v[i];
		o->config.tls.pairs[i].key = keys->v[i];
	}
	o->config.tls.pair_count = certs->n;
	return can_read(o, world, cert, certs->v, certs->n) && can_read(o, world, key, keys->v, keys->n);
}

bool options_tls_trust(struct options *o, const struct options_world *world, uint32_t row, const char *what)
{
	const struct option_state *state = &o->state[row];
	uint32_t ca = option_by_flag(STR("ca-file"));
	char quoted[OPTION_QUOTE_BYTES];
	const char *path, *reason;
	struct str bundle;

	if (!str_absent(o->config.tls.ca))
		return true;
	path = world->find_bundle(world->ctx);
	if (path == NULL)
		return fault_at(o, row,
				"%s needs ca-file, the certificates to trust: this machine has none "
				"(looked for: " BUNDLE_LOOKED_IN ")",
				what);
	bundle = str_of(path, strlen(path));
	reason = world->can_read(world->ctx, bundle);
	if (reason != NULL)
		return fault_at(o, row,
				"%s needs ca-file, the certificates to trust: SSL_CERT_FILE says %s: %s",
				what, option_value_quote(bundle, quoted), reason);
	o->config.tls.ca = bundle;
	o->state[ca] = (struct option_state){
		.source = OPTION_DERIVED, .by = state->source == OPTION_DERIVED ? state->by : row,
	};
	return true;
}

bool options_tls_finish(struct options *o, const struct options_world *world)
{
	uint32_t listen = option_by_flag(STR("listen"));
	char text[LISTENER_TEXT_BYTES_MAX];
	bool used = false;

	if (!str_absent(o->config.tls.ca) &&
	    !can_read(o, world, option_by_flag(STR("ca-file")), &o->config.tls.ca, 1))
		return false;
	if (!pair(o, world))
		return false;
	for (uint32_t i = 0; i < o->config.listener_count; i++) {
		if (!o->config.listeners[i].tls)
			continue;
		listener_put(&o->config.listeners[i], text);
		if (o->config.tls.pair_count == 0)
			return fault_at(o, listen, "%s needs tls-cert and tls-key", text);
		used = true;
	}
	if (o->config.tls.pair_count > 0 && !used)
		fault_warn(o, "tls-cert is given, and no listener says `,tls`: nobody is served over TLS");
	return true;
}

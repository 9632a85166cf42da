/*
 * Order: which auth holds, what Keycloak's options stand for, then what is demanded, then the files. Under
 * auth=trust nothing of tokens is looked at.
 */
#include "options_auth.h"

#include <assert.h>
#include <stdio.h>

#include "fault.h"
#include "option.h"
#include "option_value.h"
#include "options_tls.h"

enum { NAMES_BYTES = 256 };

static bool is_given(const struct options *o, uint32_t row)
{
	return o->state[row].source > OPTION_DERIVED;
}

static bool is_given_as(const struct options *o, struct str name)
{
	return is_given(o, option_by_flag(name));
}

/* Row `row` has its value because row `by` was given. */
static void derive(struct options *o, uint32_t row, uint32_t by)
{
	assert(is_given(o, by));
	o->state[row] = (struct option_state){ .source = OPTION_DERIVED, .by = by };
}

/* Adds a name to a text: "a", "a, b". Cut when it is full. */
static void list_name(char out[NAMES_BYTES], const char *name)
{
	size_t n = strlen(out);

	snprintf(out + n, NAMES_BYTES - n, "%s%s", n > 0 ? ", " : "", name);
}

/* --- which auth holds --- */

static bool is_of_tokens(const struct option *row)
{
	struct str name = str_of(row->name, strlen(row->name));

	return str_has_prefix(name, STR("jwt-")) || str_has_prefix(name, STR("jwks-")) ||
	       str_has_prefix(name, STR("keycloak-"));
}

static void settle(struct options *o)
{
	uint32_t auth = option_by_flag(STR("auth"));
	char unused[NAMES_BYTES] = "";

	for (uint32_t row = 0; row < option_rows(); row++) {
		if (!is_of_tokens(option_at(row)) || !is_given(o, row))
			continue;
		if (o->state[auth].source == OPTION_DEFAULT) {
			o->config.auth = AUTH_JWT;
			derive(o, auth, row);
		}
		list_name(unused, option_at(row)->name);
	}
	if (o->config.auth == AUTH_TRUST && unused[0] != '\0')
		fault_warn(o, "auth=trust believes whatever id a client gives: not used: %s", unused);
}

/* --- Keycloak --- */

/* Without the slash at its end. */
static struct str base_of(struct str url)
{
	if (url.n > 0 && url.p[url.n - 1] == '/')
		url.n--;
	return url;
}

/* Writes the issuer and what follows it to out[0, URL_BYTES_MAX]; absent: it does not fit. */
static struct str realm_url(const struct options *o, const char *path, char *out)
{
	struct str base = base_of(o->keycloak_url);
	char realm[URL_ESCAPED_BYTES(OPTIONS_TEXT_BYTES_MAX)];
	int realm_n = (int)url_escape(o->keycloak_realm, realm);
	int n = snprintf(out, URL_BYTES_MAX + 1, "%.*s/realms/%.*s%s", (int)base.n, base.p, realm_n, realm,
			 path);

	return n > 0 && n <= URL_BYTES_MAX ? str_of(out, (size_t)n) : STR_NONE;
}

static bool derive_urls(struct options *o)
{
	uint32_t url = option_by_flag(STR("keycloak-url")), realm = option_by_flag(STR("keycloak-realm"));
	uint32_t jwks_url = option_by_flag(STR("jwks-url")), issuer = option_by_flag(STR("jwt-issuer"));
	char quoted[OPTION_QUOTE_BYTES];
	struct str certs = realm_url(o, "/protocol/openid-connect/certs", o->keycloak_jwks_url);
	struct str name = realm_url(o, "", o->keycloak_issuer);
	struct url parsed;

	if (str_eq(o->keycloak_realm, STR(".")) || str_eq(o->keycloak_realm, STR("..")))
		return fault_at(o, realm, "%s could not be said in a URL",
				option_value_quote(o->keycloak_realm, quoted));
	/* nor a comma: in jwt-issuer, which is a list, it would be two */
	if (memchr(o->keycloak_url.p, '?', o->keycloak_url.n) != NULL ||
	    memchr(o->keycloak_url.p, ',', o->keycloak_url.n) != NULL || str_absent(certs) ||
	    !url_parse(certs, &parsed))
		return fault_at(o, url, "%s is no URL that /realms/... can follow",
				option_value_quote(o->keycloak_url, quoted));
	if (!is_given(o, jwks_url)) {
		o->jwks_url = certs;
		derive(o, jwks_url, url);
	}
	if (!is_given(o, issuer)) {
		o->config.token.issuers = (struct name_list){ .v = { name }, .n = 1 };
		derive(o, issuer, url);
	}
	return true;
}

/* The three belong together, as far as what they stand for is not given otherwise. */
static bool keycloak(struct options *o)
{
	uint32_t url = option_by_flag(STR("keycloak-url")), realm = option_by_flag(STR("keycloak-realm"));
	uint32_t client = option_by_flag(STR("keycloak-client-id"));
	bool has_keys = is_given_as(o, STR("jwt-secret-file")) || is_given_as(o, STR("jwt-key-file")) ||
			is_given_as(o, STR("jwks-file")) || is_given_as(o, STR("jwks-url"));
	bool needs_urls = !has_keys || !is_given_as(o, STR("jwt-issuer"));
	uint32_t first = is_given(o, url) ? url : is_given(o, realm) ? realm : client;
	char missing[NAMES_BYTES] = "";

	if (!is_given(o, first))
		return true;
	if (needs_urls && !is_given(o, url))
		list_name(missing, "keycloak-url");
	if (needs_urls && !is_given(o, realm))
		list_name(missing, "keycloak-realm");
	if (!is_given(o, client) && !is_given_as(o, STR("jwt-audience")))
		list_name(missing, "keycloak-client-id");
	if (missing[0] != '\0')
		return fault_at(o, first, "Keycloak's URL, realm and client id belong together: missing: %s",
				missing);
	if (!is_given_as(o, STR("jwt-audience")))
		o->config.token.clients = o->keycloak_clients;
	return !is_given(o, url) || !is_given(o, realm) || derive_urls(o);
}

/* --- URLs --- */

static bool read_url(struct options *o, const struct options_world *world, uint32_t row, struct str text,
		     struct url *out)
{
	char quoted[OPTION_QUOTE_BYTES], what[OPTION_QUOTE_BYTES + 16];
	bool good = url_parse(text, out);

	assert(good);
	snprintf(what, sizeof(what), "%s: an https URL", option_value_quote(text, quoted));
	return !out->tls || options_tls_trust(o, world, row, what);
}

static bool read_user_check(struct options *o, const struct options_world *world)
{
	uint32_t row = option_by_flag(STR("user-check-url"));
	struct url *url = &o->config.user_check_url;
	char quoted[OPTION_QUOTE_BYTES];

	if (str_absent(o->user_check_url))
		return true;
	if (!read_url(o, world, row, o->user_check_url, url))
		return false;
	if (memchr(o->user_check_url.p, '?', o->user_check_url.n) != NULL)
		return fault_at(o, row, "%s has a query, and /{user_id} could not follow it",
				option_value_quote(o->user_check_url, quoted));
	url->path = base_of(url->path);
	o->config.has_user_check = true;
	return true;
}

/* --- what is demanded --- */

/* Keys of a set sign for everybody whom its owner serves: they are not enough. */
static bool check_demands(struct options *o)
{
	const struct token_config *t = &o->config.token;
	uint32_t file = option_by_flag(STR("jwks-file"));
	uint32_t row = is_given(o, file) ? file : option_by_flag(STR("jwks-url"));
	char missing[NAMES_BYTES] = "";

	if (o->state[row].source == OPTION_DEFAULT)
		return true;
	if (t->issuers.n == 0)
		list_name(missing, "jwt-issuer");
	if (t->audiences.n == 0 && t->clients.n == 0)
		list_name(missing, "jwt-audience (or keycloak-client-id)");
	return missing[0] == '\0' ||
	       fault_at(o, row, "a set's keys sign for others too, so more is demanded: missing: %s",
			missing);
}

static bool check_keys(struct options *o)
{
	if (!str_absent(o->jwt_secret_path) || !str_absent(o->jwt_key_path) || !str_absent(o->jwks_path) ||
	    o->config.token.has_jwks_url)
		return true;
	return fault_at(o, option_by_flag(STR("auth")),
			"tokens need keys: one of jwt-secret-file, jwt-key-file, jwks-file, jwks-url and "
			"keycloak-url is missing");
}

/* --- files --- */

/* Reads a file of keys to *text, which lies in o->material. */
static bool read_material(struct options *o, const struct options_world *world, uint32_t row,
			  struct str path, struct str *text)
{
	char quoted[OPTION_QUOTE_BYTES];
	size_t n = 0;
	const char *reason = world->read_file(world->ctx, path, o->material, sizeof(o->material), &n);

	assert(n <= sizeof(o->material));
	o->material_bytes = n > o->material_bytes ? n : o->material_bytes;
	if (reason != NULL)
		return fault_at(o, row, "%s: %s", option_value_quote(path, quoted), reason);
	*text = str_of(o->material, n);
	return true;
}

static bool read_secret(struct options *o, const struct options_world *world)
{
	uint32_t row = option_by_flag(STR("jwt-secret-file"));
	char quoted[OPTION_QUOTE_BYTES];
	enum jwk_result result;
	struct str secret;

	if (str_absent(o->jwt_secret_path))
		return true;
	if (!read_material(o, world, row, o->jwt_secret_path, &secret))
		return false;
	secret = jwk_secret_of_file(secret);
	result = jwk_set_add_secret(&o->config.token.keys, secret);
	option_value_quote(o->jwt_secret_path, quoted);
	if (result != JWK_OK)
		return fault_at(o, row, "%s %s", quoted, jwk_result_text(result));
	if (secret.n < JWK_SECRET_BYTES_MIN)
		fault_warn(o, "jwt-secret-file: %s: the secret has %u bytes; fewer than %d can be guessed",
			   quoted, (unsigned)secret.n, JWK_SECRET_BYTES_MIN);
	return true;
}

static bool read_pem(struct options *o, const struct options_world *world)
{
	uint32_t row = option_by_flag(STR("jwt-key-file"));
	char quoted[OPTION_QUOTE_BYTES];
	enum jwk_result result;
	struct str text;

	if (str_absent(o->jwt_key_path))
		return true;
	if (!read_material(o, world, row, o->jwt_key_path, &text))
		return false;
	result = jwk_set_add_pem(&o->config.token.keys, text);
	if (result != JWK_OK)
		return fault_at(o, row, "%s %s", option_value_quote(o->jwt_key_path, quoted),
				jwk_result_text(result));
	o->pem_key_count = o->config.token.keys.count - o->jwks_key_count;
	return true;
}

/* The first of the files: jwk_set_read() replaces what is there. */
static bool read_jwks(struct options *o, const struct options_world *world)
{
	uint32_t row = option_by_flag(STR("jwks-file"));
	char quoted[OPTION_QUOTE_BYTES];
	enum jwk_result result;
	enum json_err err;
	struct str text;

	assert(o->config.token.keys.count == 0);
	if (str_absent(o->jwks_path))
		return true;
	if (!read_material(o, world, row, o->jwks_path, &text))
		return false;
	option_value_quote(o->jwks_path, quoted);
	json_init(&o->json, o->tokens, JSON_TOKENS_MAX);
	err = json_parse(&o->json, o->material, text.n);
	if (err != JSON_OK)
		return fault_at(o, row, "%s is not JSON: %s", quoted, json_err_text(err));
	result = jwk_set_read(&o->config.token.keys, &o->json);
	if (result != JWK_OK)
		return fault_at(o, row, "%s %s", quoted, jwk_result_text(result));
	o->jwks_key_count = o->config.token.keys.count;
	return true;
}

static bool read_keys(struct options *o, const struct options_world *world)
{
	bool good = read_jwks(o, world) && read_pem(o, world) && read_secret(o, world);

	explicit_bzero(o->material, o->material_bytes);
	return good;
}

bool options_auth_finish(struct options *o, const struct options_world *world)
{
	struct token_config *t = &o->config.token;

	settle(o);
	if (!read_user_check(o, world))
		return false;
	if (o->config.auth == AUTH_TRUST)
		return true;
	if (!keycloak(o))
		return false;
	if (!str_absent(o->jwks_url)) {
		if (!read_url(o, world, option_by_flag(STR("jwks-url")), o->jwks_url, &t->jwks_url))
			return false;
		t->has_jwks_url = true;
	}
	return check_keys(o) && check_demands(o) && read_keys(o, world);
}

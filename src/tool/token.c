/*
 * Claims stand in the token once each: those of every token first (sub, iat, exp), then what --claim adds in
 * the order given. Nothing is signed that jwt_read() would find malformed.
 */
#include "tool/token.h"

#include <bearssl_hash.h>
#include <bearssl_hmac.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/units.h"
#include "base/utf8.h"
#include "net/machine.h"
#include "tool/args.h"
#include "tool/world.h"
#include "wire/jwk.h"
#include "wire/jwt.h"

enum { CLAIMS_MAX = 32, TTL_MS_DEFAULT = 3600000, TOKENS_MAX = 256 };

enum token_exit { TOKEN_PRINTED = 0, TOKEN_FAILED = 1, TOKEN_REFUSED = 2 };

enum { FLAG_SECRET_FILE, FLAG_SUB, FLAG_CLAIM, FLAG_TTL };

static const char *const flags[] = { "secret-file", "sub", "claim", "ttl", NULL };

struct claim {
	struct str name;
	struct str value; /* JSON text when `is_json`, else a string's characters */
	bool is_json;
};

struct token {
	struct args args;
	struct str secret_path, sub;
	int64_t ttl_ms;
	uint32_t claim_count;
	struct claim claims[CLAIMS_MAX];
	uint8_t secret[JWK_MATERIAL_BYTES_MAX + 2];
	size_t secret_bytes;
	char payload[BASE64_DECODED_BYTES_MAX(JWT_BYTES_MAX)];
	char text[JWT_BYTES_MAX];
};

static const struct claim *find(const struct token *t, struct str name)
{
	for (uint32_t i = 0; i < t->claim_count; i++)
		if (str_eq(t->claims[i].name, name))
			return &t->claims[i];
	return NULL;
}

static bool is_time(struct str name)
{
	return str_eq(name, STR("exp")) || str_eq(name, STR("nbf")) || str_eq(name, STR("iat"));
}

/* JSON when it is JSON, else a string. */
static bool read_value(const struct token *t, struct claim *c, char *text)
{
	struct json_tok toks[TOKENS_MAX];
	struct json j;
	enum json_err err;
	int64_t seconds;

	json_init(&j, toks, TOKENS_MAX);
	err = json_parse(&j, text, strlen(text));
	c->is_json = err == JSON_OK;
	c->value = c->is_json ? json_raw(&j, json_root(&j)) : str_of(text, strlen(text));
	if (!utf8_valid(c->value))
		return args_say(&t->args, "--claim %.*s: the value is not UTF-8", (int)c->name.n, c->name.p);
	if (is_time(c->name) && (!c->is_json || !json_i64(&j, json_root(&j), &seconds)))
		return args_say(&t->args, "--claim %.*s: wants a number, the seconds since 1970",
				(int)c->name.n, c->name.p);
	if (!c->is_json && (*text == '[' || *text == '{' || *text == '"'))
		args_say(&t->args, "note: --claim %.*s is no JSON (%s), and is taken as a string",
			 (int)c->name.n, c->name.p, json_err_text(err));
	return true;
}

static bool read_claim(struct token *t, char *text)
{
	char *equals = strchr(text, '=');
	struct claim *c = &t->claims[t->claim_count];

	if (equals == NULL || equals == text)
		return args_say(&t->args, "--claim wants NAME=VALUE, not \"%.64s\"", text);
	if (t->claim_count == CLAIMS_MAX)
		return args_say(&t->args, "--claim: %d at most", CLAIMS_MAX);
	c->name = str_of(text, (size_t)(equals - text));
	if (!utf8_is_id(c->name))
		return args_say(&t->args, "--claim: a name is 1 to %d bytes of UTF-8", ID_BYTES_MAX);
	if (str_eq(c->name, STR("sub")))
		return args_say(&t->args, "--claim sub: who it is for is said with --sub");
	if (find(t, c->name) != NULL)
		return args_say(&t->args, "--claim %.*s is there twice", (int)c->name.n, c->name.p);
	if (!read_value(t, c, equals + 1))
		return false;
	t->claim_count++;
	return true;
}

static bool read_flag(struct token *t, int flag, char *value)
{
	struct str s = str_of(value, strlen(value));

	switch (flag) {
	case FLAG_SECRET_FILE: t->secret_path = s; return true;
	case FLAG_SUB:
		t->sub = s;
		if (utf8_is_id(s))
			return true;
		return args_say(&t->args, "--sub: an id is 1 to %d bytes of UTF-8 without control characters",
				ID_BYTES_MAX);
	case FLAG_CLAIM: return read_claim(t, value);
	case FLAG_TTL:
		if (units_duration(s, &t->ttl_ms) && t->ttl_ms >= 1000 && t->ttl_ms < INT64_MAX / 2)
			return true;
		return args_say(&t->args, "--ttl: \"%.64s\" is no duration of a second or more (30s, 1h)",
				value);
	default: return args_say(&t->args, "\"%.64s\" is one word too many (see --help)", value);
	}
}

/* As the server reads jwt-secret-file. */
static bool read_secret(struct token *t)
{
	const char *reason =
		world_read_file(NULL, t->secret_path, (char *)t->secret, sizeof(t->secret), &t->secret_bytes);

	if (reason == NULL) {
		t->secret_bytes = jwk_secret_of_file(str_of((const char *)t->secret, t->secret_bytes)).n;
		if (t->secret_bytes == 0)
			reason = "it is empty";
		else if (t->secret_bytes > JWK_MATERIAL_BYTES_MAX)
			reason = "it is too long";
	}
	if (reason != NULL)
		return args_say(&t->args, "--secret-file: %.200s: %s", t->secret_path.p, reason);
	if (t->secret_bytes < JWK_SECRET_BYTES_MIN)
		args_say(&t->args, "note: the secret has %zu bytes; HS256 wants %d", t->secret_bytes,
			 JWK_SECRET_BYTES_MIN);
	return true;
}

static void put_claim(struct jsonw *w, const struct claim *c)
{
	jsonw_key_str(w, c->name);
	if (c->is_json)
		jsonw_raw(w, c->value);
	else
		jsonw_str(w, c->value);
}

/* iat or exp: what --claim says, else `seconds`. */
static void put_time(const struct token *t, struct jsonw *w, struct str name, int64_t seconds)
{
	const struct claim *c = find(t, name);

	if (c != NULL) {
		args_say(&t->args, "note: %.*s is what --claim says: %.*s", (int)name.n, name.p,
			 (int)c->value.n, c->value.p);
		put_claim(w, c);
		return;
	}
	jsonw_key(w, name);
	jsonw_i64(w, seconds);
}

static struct str write_payload(struct token *t)
{
	int64_t now = machine_now().wall.ms / 1000;
	struct jsonw w;

	jsonw_init(&w, t->payload, sizeof(t->payload));
	jsonw_obj(&w);
	jsonw_key(&w, STR("sub"));
	jsonw_str(&w, t->sub);
	put_time(t, &w, STR("iat"), now);
	put_time(t, &w, STR("exp"), now + t->ttl_ms / 1000);
	for (uint32_t i = 0; i < t->claim_count; i++)
		if (!str_eq(t->claims[i].name, STR("iat")) && !str_eq(t->claims[i].name, STR("exp")))
			put_claim(&w, &t->claims[i]);
	jsonw_end_obj(&w);
	return jsonw_text(&w);
}

/* Bytes of t->text; 0: it does not fit. RFC 7515 5.1. */
static size_t sign(struct token *t)
{
	static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
	struct str payload = write_payload(t);
	uint8_t mac[br_sha256_SIZE];
	br_hmac_key_context key;
	br_hmac_context hmac;
	size_t n;

	/* header, dot, payload, dot, signature, each no longer than padded */
	if (str_absent(payload) || BASE64_ENCODED_BYTES(sizeof(header)) + BASE64_ENCODED_BYTES(payload.n) +
						   BASE64_ENCODED_BYTES(sizeof(mac)) + 2 >
					   sizeof(t->text))
		return 0;
	n = base64_encode_url(t->text, sizeof(t->text), (const uint8_t *)header, sizeof(header) - 1);
	t->text[n++] = '.';
	n += base64_encode_url(t->text + n, sizeof(t->text) - n, (const uint8_t *)payload.p, payload.n);
	br_hmac_key_init(&key, &br_sha256_vtable, t->secret, t->secret_bytes);
	br_hmac_init(&hmac, &key, 0);
	br_hmac_update(&hmac, t->text, n);
	br_hmac_out(&hmac, mac);
	t->text[n++] = '.';
	return n + base64_encode_url(t->text + n, sizeof(t->text) - n, mac, sizeof(mac));
}

static enum token_exit run(struct token *t)
{
	char *value;
	int flag;
	size_t n;

	while ((flag = args_next(&t->args, &value)) != ARGS_END)
		if (flag == ARGS_BAD || !read_flag(t, flag, value))
			return TOKEN_REFUSED;
	if (str_absent(t->secret_path) || str_absent(t->sub)) {
		args_say(&t->args, "%s is required (see --help)",
			 str_absent(t->sub) ? "--sub ID" : "--secret-file FILE");
		return TOKEN_REFUSED;
	}
	if (!read_secret(t))
		return TOKEN_REFUSED;
	n = sign(t);
	if (n == 0) {
		args_say(&t->args, "that is too much for a token, which has %d bytes at most", JWT_BYTES_MAX);
		return TOKEN_REFUSED;
	}
	printf("%.*s\n", (int)n, t->text);
	return fflush(stdout) == 0 && !ferror(stdout) ? TOKEN_PRINTED : TOKEN_FAILED;
}

int token_run(char *const *args)
{
	struct token *t = machine_memory(sizeof(*t));
	struct args a = { .next = args, .command = "token", .flags = flags };

	if (t == NULL) {
		args_say(&a, "no memory");
		return TOKEN_FAILED;
	}
	t->args = a;
	t->ttl_ms = TTL_MS_DEFAULT;
	return (int)run(t);
}

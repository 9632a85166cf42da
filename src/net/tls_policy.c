#include "net/tls_policy.h"

#include <assert.h>

/* AES where the processor has instructions for it, else ChaCha20; EC before RSA. TLS 1.2 (RFC 5289, 7905):
 * ephemeral keys and authenticated encryption only. */
static const uint16_t suites_aes_first[] = {
	BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
};

static const uint16_t suites_chacha_first[] = {
	BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
};

enum { SUITES = sizeof(suites_aes_first) / sizeof(suites_aes_first[0]) };

static_assert(sizeof(suites_aes_first) == sizeof(suites_chacha_first), "the same, in another order");

void tls_policy_profile(br_ssl_server_context *server)
{
	br_ssl_engine_context *e = &server->eng;
	bool has_aes = br_aes_x86ni_ctr_get_vtable() != NULL && br_ghash_pclmul_get() != 0;

	br_ssl_engine_set_versions(e, BR_TLS12, BR_TLS12);
	br_ssl_engine_set_suites(e, has_aes ? suites_aes_first : suites_chacha_first, SUITES);
	/* SHA-1 and MD5 sign nothing here (RFC 9155): a client that knows no other finds no suite. */
	br_ssl_engine_set_hash(e, br_sha256_ID, &br_sha256_vtable);
	br_ssl_engine_set_hash(e, br_sha384_ID, &br_sha384_vtable);
	br_ssl_engine_set_prf_sha256(e, &br_tls12_sha256_prf);
	br_ssl_engine_set_prf_sha384(e, &br_tls12_sha384_prf);
	br_ssl_engine_set_default_ec(e); /* m31: X25519 180 us, P-256 350 us a multiplication */
	br_ssl_engine_set_default_aes_gcm(e);
	br_ssl_engine_set_default_chapol(e);
	br_ssl_engine_set_chacha20(e, &br_chacha20_ct_run); /* twice as fast as BearSSL's own for SSE2 */
	br_ssl_engine_add_flags(e, BR_OPT_ENFORCE_SERVER_PREFERENCES | BR_OPT_NO_RENEGOTIATION |
	                                   BR_OPT_FAIL_ON_ALPN_MISMATCH);
}

/* SHA-256 or SHA-384 of the bits that say what the client verifies; 0: neither. */
static unsigned hash_of(uint32_t bits)
{
	if (bits >> br_sha256_ID & 1)
		return br_sha256_ID;
	return bits >> br_sha384_ID & 1 ? br_sha384_ID : 0;
}

/* Can this pair sign for a suite of this kind, for this client? The hash, or 0. */
static unsigned can_sign(const struct certificate *c, unsigned kind, const br_ssl_server_context *server)
{
	uint32_t hashes = br_ssl_server_get_client_hashes(server);

	if (c->key_type == BR_KEYTYPE_RSA)
		return kind == BR_SSLKEYX_ECDHE_RSA ? hash_of(hashes) : 0;
	if (kind != BR_SSLKEYX_ECDHE_ECDSA ||
	    !(br_ssl_server_get_client_curves(server) >> c->key.ec.curve & 1))
		return 0;
	return hash_of(hashes >> 8);
}

static bool choose_among(struct tls_policy *p, enum certificate_match at_least, struct str host,
                         const br_ssl_server_context *server, br_ssl_server_choices *choices)
{
	size_t count;
	const br_suite_translated *suites = br_ssl_server_get_client_suites(server, &count);

	for (size_t i = 0; i < count; i++) {
		for (uint32_t k = 0; k < p->certificates->count; k++) {
			const struct certificate *c = &p->certificates->v[k];
			unsigned hash = can_sign(c, suites[i][1] >> 12, server);

			if (hash == 0 || certificate_matches(c, host) < at_least)
				continue;
			p->chosen = c;
			choices->cipher_suite = suites[i][0];
			choices->algo_id = 0xFF00 + hash;
			choices->chain = c->chain;
			choices->chain_len = c->chain_count;
			return true;
		}
	}
	return false;
}

static int choose(const br_ssl_server_policy_class **pctx, const br_ssl_server_context *server,
                  br_ssl_server_choices *choices)
{
	struct tls_policy *p = (struct tls_policy *)(void *)pctx;
	const char *name = br_ssl_engine_get_server_name(&server->eng);
	struct str host = str_of(name, strlen(name));

	for (int match = CERTIFICATE_EXACT; match >= CERTIFICATE_OTHER; match--)
		if (choose_among(p, (enum certificate_match)match, host, server, choices))
			return 1;
	return 0;
}

/* No suite of ours lets a certificate's key exchange keys. */
static uint32_t do_keyx(const br_ssl_server_policy_class **pctx, unsigned char *data, size_t *len)
{
	(void)pctx;
	(void)data;
	(void)len;
	return 0;
}

static size_t sign_rsa(const br_rsa_private_key *key, unsigned hash, unsigned char *data, const void *hv,
                       size_t hv_len, size_t cap)
{
	const unsigned char *oid = hash == br_sha256_ID ? BR_HASH_OID_SHA256 : BR_HASH_OID_SHA384;
	size_t bytes = (key->n_bitlen + 7) / 8;

	if (bytes > cap || !br_rsa_pkcs1_sign_get_default()(oid, hv, hv_len, key, data))
		return 0;
	return bytes;
}

static size_t do_sign(const br_ssl_server_policy_class **pctx, unsigned algorithm, unsigned char *data,
                      size_t hv_len, size_t cap)
{
	const struct certificate *c = ((struct tls_policy *)(void *)pctx)->chosen;
	unsigned hash = algorithm & 0xff;
	unsigned char hv[64];

	assert(c != NULL && (hash == br_sha256_ID || hash == br_sha384_ID) && hv_len <= sizeof(hv));
	memcpy(hv, data, hv_len);
	if (c->key_type == BR_KEYTYPE_RSA)
		return sign_rsa(&c->key.rsa, hash, data, hv, hv_len, cap);
	if (cap < 139) /* the longest that br_ecdsa_sign writes */
		return 0;
	return br_ecdsa_sign_asn1_get_default()(br_ec_get_default(),
	                                        hash == br_sha256_ID ? &br_sha256_vtable : &br_sha384_vtable,
	                                        hv, &c->key.ec, data);
}

void tls_policy_init(struct tls_policy *p, const struct certificates *certificates)
{
	static const br_ssl_server_policy_class class = {
		sizeof(struct tls_policy), choose, do_keyx, do_sign
	};

	*p = (struct tls_policy){ .vtable = &class, .certificates = certificates };
}

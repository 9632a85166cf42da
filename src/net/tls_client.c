/*
 * See net/tls_client.h. Invariant: no byte of ours enters the engine, and none of the server's leaves it,
 * before the handshake is over and the certificate was seen to bear a dNSName.
 */
#include "net/tls_client.h"

#include <assert.h>

enum {
	RSA_BYTES_MIN = ANCHORS_RSA_BYTES_MIN,
	MS_PER_DAY = 86400000,
	DAYS_TO_1970 = 719528, /* BearSSL counts from year 0 */
	NO_DNS_NAME = -1,      /* beside BearSSL's error numbers */
	CUT = -2,
};

/* Preferred first: AES-GCM is ten times faster where the processor knows AES, and every server has it. */
static const uint16_t suites[] = {
	BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,       BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,       BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
};

static const unsigned char dns_name[] = { 0, 2 }; /* subjectAltName, [2] (RFC 5280 4.2.1.6) */
static const char *const protocols[] = { "http/1.1" };

static const br_hash_class *const hashes[] = {
	&br_sha256_vtable,
	&br_sha384_vtable,
	&br_sha512_vtable,
};

static void set_algorithms(struct tls_client *t)
{
	br_ssl_engine_context *eng = &t->cc.eng;

	br_ssl_engine_set_suites(eng, suites, sizeof(suites) / sizeof(suites[0]));
	br_ssl_client_set_default_rsapub(&t->cc);
	br_ssl_engine_set_default_rsavrfy(eng);
	br_ssl_engine_set_default_ecdsa(eng);
	br_ssl_engine_set_default_aes_gcm(eng);
	br_ssl_engine_set_default_chapol(eng);
	br_ssl_engine_set_prf_sha256(eng, &br_tls12_sha256_prf);
	br_ssl_engine_set_prf_sha384(eng, &br_tls12_sha384_prf);
	for (int id = br_sha256_ID; id <= br_sha512_ID; id++)
		br_ssl_engine_set_hash(eng, id, hashes[id - br_sha256_ID]);
}

static void set_time(br_x509_minimal_context *xc, wall_t now)
{
	int64_t ms = now.ms < 0 ? 0 : now.ms;

	br_x509_minimal_set_time(xc, (uint32_t)(ms / MS_PER_DAY + DAYS_TO_1970),
	                         (uint32_t)(ms % MS_PER_DAY / 1000));
}

/* All but whom to believe. */
static void set_engine(struct tls_client *t, const unsigned char seed[TLS_CLIENT_SEED_BYTES])
{
	br_ssl_engine_context *eng = &t->cc.eng;

	br_ssl_client_zero(&t->cc);
	br_ssl_engine_set_versions(eng, BR_TLS12, BR_TLS12);
	set_algorithms(t);
	br_ssl_engine_set_protocol_names(eng, (const char **)protocols, 1);
	br_ssl_engine_add_flags(eng, BR_OPT_NO_RENEGOTIATION);
	br_ssl_engine_set_buffers_bidi(eng, t->in, sizeof(t->in), t->out, sizeof(t->out));
	br_ssl_engine_inject_entropy(eng, seed, TLS_CLIENT_SEED_BYTES);
	/* The seed is enough: without this BearSSL would open /dev/urandom where there is no RDRAND. */
	eng->rng_os_rand_done = 1;
	t->open = t->nameless = t->cut = t->unverified = false;
}

/* The chain is verified, and the first of its dNSNames kept. */
static void set_trust(struct tls_client *t, const struct anchors *a, wall_t now)
{
	br_ssl_engine_context *eng = &t->cc.eng;

	br_x509_minimal_init(&t->xc, &br_sha256_vtable, a->v, a->n);
	br_x509_minimal_set_rsa(&t->xc, br_ssl_engine_get_rsavrfy(eng));
	br_x509_minimal_set_ecdsa(&t->xc, br_ssl_engine_get_ec(eng), br_ssl_engine_get_ecdsa(eng));
	for (int id = br_sha256_ID; id <= br_sha512_ID; id++)
		br_x509_minimal_set_hash(&t->xc, id, hashes[id - br_sha256_ID]);
	br_x509_minimal_set_minrsa(&t->xc, RSA_BYTES_MIN);
	set_time(&t->xc, now);
	t->name = (br_name_element){ .oid = dns_name, .buf = t->name_text, .len = sizeof(t->name_text) };
	br_x509_minimal_set_name_elements(&t->xc, &t->name, 1);
	br_ssl_engine_set_x509(eng, &t->xc.vtable);
}

/* The handshake, once the engine is set. */
static bool begin(struct tls_client *t, const struct anchors *a, struct str host, wall_t now)
{
	char name[TLS_CLIENT_HOST_BYTES_MAX + 1];

	host.n -= host.n > 0 && host.p[host.n - 1] == '.';
	set_trust(t, a, now);
	if (host.n == 0 || host.n > TLS_CLIENT_HOST_BYTES_MAX) {
		t->nameless = true;
		return false;
	}
	memcpy(name, host.p, host.n);
	name[host.n] = '\0';
	return br_ssl_client_reset(&t->cc, name, 0) == 1;
}

bool tls_client_init_bare(struct tls_client *t, const struct anchors *a, struct str host, wall_t now,
                          const unsigned char seed[TLS_CLIENT_SEED_BYTES])
{
	set_engine(t, seed);
	br_ssl_engine_set_protocol_names(&t->cc.eng, NULL, 0);
	return begin(t, a, host, now);
}

bool tls_client_init(struct tls_client *t, const struct anchors *a, struct str host, wall_t now,
                     const unsigned char seed[TLS_CLIENT_SEED_BYTES])
{
	set_engine(t, seed);
	return begin(t, a, host, now);
}

void tls_client_init_unverified(struct tls_client *t, const unsigned char seed[TLS_CLIENT_SEED_BYTES])
{
	set_engine(t, seed);
	t->unverified = true;
	leaf_init(&t->leaf);
	br_ssl_engine_set_x509(&t->cc.eng, &t->leaf.vtable);
	br_ssl_client_reset(&t->cc, NULL, 0);
}

/* 0, a number of BearSSL's, or one of ours. */
static int error_of(const struct tls_client *t)
{
	if (t->nameless)
		return NO_DNS_NAME;
	return t->cut ? CUT : br_ssl_engine_last_error(&t->cc.eng);
}

enum tls_client_state tls_client_state(const struct tls_client *t)
{
	if (error_of(t) != 0)
		return TLS_CLIENT_FAILED;
	if (br_ssl_engine_current_state(&t->cc.eng) == BR_SSL_CLOSED)
		return TLS_CLIENT_CLOSED;
	return t->open ? TLS_CLIENT_OPEN : TLS_CLIENT_HANDSHAKE;
}

/* After each step: is the handshake over? Then the certificate's names are known. */
static void settle(struct tls_client *t)
{
	if (t->open || !(br_ssl_engine_current_state(&t->cc.eng) & BR_SSL_SENDAPP))
		return;
	t->open = true;
	t->nameless = !t->unverified && t->name.status == 0;
}

size_t tls_client_output(const struct tls_client *t, unsigned char **p)
{
	size_t n = 0;

	*p = t->nameless || t->cut ? NULL : br_ssl_engine_sendrec_buf(&t->cc.eng, &n);
	return *p == NULL ? 0 : n;
}

void tls_client_sent(struct tls_client *t, size_t n)
{
	if (n > 0)
		br_ssl_engine_sendrec_ack(&t->cc.eng, n);
	settle(t);
}

size_t tls_client_room(const struct tls_client *t, unsigned char **p)
{
	size_t n = 0;

	*p = t->nameless || t->cut ? NULL : br_ssl_engine_recvrec_buf(&t->cc.eng, &n);
	return *p == NULL ? 0 : n;
}

void tls_client_received(struct tls_client *t, size_t n)
{
	if (n > 0)
		br_ssl_engine_recvrec_ack(&t->cc.eng, n);
	settle(t);
}

size_t tls_client_plain(const struct tls_client *t, unsigned char **p)
{
	size_t n = 0;

	*p = tls_client_state(t) == TLS_CLIENT_OPEN ? br_ssl_engine_recvapp_buf(&t->cc.eng, &n) : NULL;
	return *p == NULL ? 0 : n;
}

void tls_client_taken(struct tls_client *t, size_t n)
{
	if (n > 0)
		br_ssl_engine_recvapp_ack(&t->cc.eng, n);
}

size_t tls_client_space(const struct tls_client *t, unsigned char **p)
{
	size_t n = 0;

	*p = tls_client_state(t) == TLS_CLIENT_OPEN ? br_ssl_engine_sendapp_buf(&t->cc.eng, &n) : NULL;
	return *p == NULL ? 0 : n;
}

void tls_client_written(struct tls_client *t, size_t n)
{
	if (n > 0)
		br_ssl_engine_sendapp_ack(&t->cc.eng, n);
}

void tls_client_flush(struct tls_client *t)
{
	br_ssl_engine_flush(&t->cc.eng, 0);
}

void tls_client_close(struct tls_client *t)
{
	br_ssl_engine_close(&t->cc.eng);
}

void tls_client_end(struct tls_client *t)
{
	t->cut = tls_client_state(t) != TLS_CLIENT_CLOSED;
}

#define WHY(error, text) { error, { text, sizeof(text) - 1 } }

static const struct reason {
	int error;
	struct str text;
} reasons[] = {
	WHY(NO_DNS_NAME, "the certificate has no subjectAltName of kind dNSName"),
	WHY(CUT, "the connection ended without close_notify"),
	WHY(BR_ERR_X509_NOT_TRUSTED, "no certificate of ca-file vouches for the certificate"),
	WHY(BR_ERR_X509_EXPIRED, "the certificate is not valid now"),
	WHY(BR_ERR_X509_BAD_SERVER_NAME, "the certificate is for another host"),
	WHY(BR_ERR_X509_WEAK_PUBLIC_KEY, "the certificate's key has less than 2048 bits"),
	WHY(BR_ERR_X509_CRITICAL_EXTENSION, "a critical extension of the certificate is not known"),
	WHY(BR_ERR_X509_BAD_SIGNATURE, "a signature of the certificates is wrong"),
	WHY(BR_ERR_X509_UNSUPPORTED, "the certificate's algorithm is not supported"),
	WHY(BR_ERR_X509_NOT_CA, "a certificate was signed by one that is no CA"),
	WHY(BR_ERR_UNSUPPORTED_VERSION, "the server does not speak TLS 1.2"),
	WHY(BR_ERR_BAD_VERSION, "not TLS 1.2"),
};

struct str tls_client_why(const struct tls_client *t)
{
	int error = error_of(t);

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].error == error)
			return reasons[i].text;
	if (error == 0)
		return STR("");
	if (error >= BR_ERR_RECV_FATAL_ALERT && error < BR_ERR_SEND_FATAL_ALERT)
		return error == BR_ERR_RECV_FATAL_ALERT + BR_ALERT_PROTOCOL_VERSION
		               ? STR("the server does not speak TLS 1.2")
		               : STR("the server refused the handshake");
	return error >= BR_ERR_X509_INVALID_VALUE && error <= BR_ERR_X509_NOT_TRUSTED
	               ? STR("the certificate is malformed")
	               : STR("not a well-formed TLS 1.2 connection");
}

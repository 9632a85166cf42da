/*
 * Invariants: slices and pointers of a certificate point into itself, so it is never moved. Signatures are
 * not verified: what the operator put there is what is sent, and clients judge it.
 */
#include "net/certificate.h"

#include <assert.h>

#include "net/x509.h"
#include "wire/pem.h"

/* --- names and dates --- */

static bool is_oid(struct x509_rest oid, const char *bytes, size_t n)
{
	return oid.n == n && memcmp(oid.p, bytes, n) == 0;
}

static void add_name(struct certificate *c, struct x509_rest name)
{
	if (name.n == 0 || memchr(name.p, '\0', name.n) != NULL || c->name_count == CERTIFICATE_NAMES_MAX)
		return;
	c->names[c->name_count++] = str_of((const char *)name.p, name.n);
}

/* The common names of a subject, for a certificate without a SAN. */
static bool read_subject(struct certificate *c, struct x509_rest subject)
{
	struct x509_rest set, pair, oid, value;
	unsigned tag;

	while (subject.n > 0) {
		if (!x509_take(&subject, X509_SET, &set))
			return false;
		while (set.n > 0) {
			if (!x509_take(&set, X509_SEQUENCE, &pair) || !x509_take(&pair, X509_OID, &oid) ||
			    !x509_next(&pair, &tag, &value))
				return false;
			if (is_oid(oid, "\x55\x04\x03", 3))
				add_name(c, value);
		}
	}
	return true;
}

/* A SubjectAltName: its dNSNames replace what the subject said. */
static bool read_alternatives(struct certificate *c, struct x509_rest value)
{
	enum { DNS_NAME = 0x82 };
	struct x509_rest names, name;
	unsigned tag;

	if (!x509_take(&value, X509_SEQUENCE, &names))
		return false;
	c->name_count = 0;
	while (names.n > 0) {
		if (!x509_next(&names, &tag, &name))
			return false;
		if (tag == DNS_NAME)
			add_name(c, name);
	}
	return true;
}

static bool read_extensions(struct certificate *c, struct x509_rest in)
{
	struct x509_rest list, extension, oid, value;
	unsigned tag;

	if (!x509_take(&in, X509_SEQUENCE, &list))
		return false;
	while (list.n > 0) {
		if (!x509_take(&list, X509_SEQUENCE, &extension) || !x509_take(&extension, X509_OID, &oid) ||
		    !x509_next(&extension, &tag, &value))
			return false;
		if (tag == X509_BOOLEAN && !x509_next(&extension, &tag, &value))
			return false;
		if (is_oid(oid, "\x55\x1d\x11", 3) &&
		    (tag != X509_OCTET_STRING || !read_alternatives(c, value)))
			return false;
	}
	return true;
}

static bool read_date(struct x509_rest *in, wall_t *out)
{
	struct x509_rest time;
	unsigned tag;
	int64_t seconds;

	if (!x509_next(in, &tag, &time) || !x509_time(tag, time, &seconds))
		return false;
	out->ms = seconds * 1000;
	return true;
}

/* TBSCertificate, RFC 5280 4.1. */
static bool read_facts(struct certificate *c, const br_x509_certificate *x)
{
	enum { VERSION = 0xa0, EXTENSIONS = 0xa3, INTEGER = 0x02 };
	struct x509_rest in = { x->data, x->data_len }, all, tbs, part, dates;
	unsigned tag;

	if (!x509_take(&in, X509_SEQUENCE, &all) || !x509_take(&all, X509_SEQUENCE, &tbs) ||
	    !x509_next(&tbs, &tag, &part))
		return false;
	if (tag == VERSION && !x509_next(&tbs, &tag, &part))
		return false;
	if (tag != INTEGER || !x509_take(&tbs, X509_SEQUENCE, &part) || /* signature */
	    !x509_take(&tbs, X509_SEQUENCE, &part) ||                   /* issuer */
	    !x509_take(&tbs, X509_SEQUENCE, &dates) || !read_date(&dates, &c->not_before) ||
	    !read_date(&dates, &c->not_after) || !x509_take(&tbs, X509_SEQUENCE, &part) ||
	    !read_subject(c, part) || !x509_take(&tbs, X509_SEQUENCE, &part)) /* public key */
		return false;
	while (tbs.n > 0) {
		if (!x509_next(&tbs, &tag, &part))
			return false;
		if (tag == EXTENSIONS && !read_extensions(c, part))
			return false;
	}
	return true;
}

/* --- the chain --- */

static bool is_certificate(struct str label)
{
	return str_eq(label, STR("CERTIFICATE")) || str_eq(label, STR("X509 CERTIFICATE"));
}

const char *certificate_read_chain(struct certificate *c, struct str text)
{
	struct pem pem = { .rest = text };
	size_t used = 0;

	c->chain_count = 0;
	c->name_count = 0;
	for (;;) {
		switch (pem_next(&pem, c->der + used, sizeof(c->der) - used)) {
		case PEM_END:
			if (c->chain_count == 0)
				return "holds no certificate";
			return read_facts(c, &c->chain[0]) ? NULL : "is no X.509 certificate";
		case PEM_BAD:
			return "is not good PEM";
		case PEM_TOO_LONG:
			return "is too long a chain (15,000 bytes)";
		case PEM_OBJECT:
			break;
		}
		if (!is_certificate(pem.name))
			continue;
		if (c->chain_count == CERTIFICATE_CHAIN_MAX)
			return "is too long a chain (8 certificates)";
		c->chain[c->chain_count++] = (br_x509_certificate){ c->der + used, pem.bytes };
		used += pem.bytes;
	}
}

/* --- the key --- */

static const char *keep_rsa(struct certificate *c, const br_rsa_private_key *from)
{
	br_rsa_private_key *to = &c->key.rsa;
	const unsigned char *parts[] = { from->p, from->q, from->dp, from->dq, from->iq };
	const size_t sizes[] = { from->plen, from->qlen, from->dplen, from->dqlen, from->iqlen };
	unsigned char **into[] = { &to->p, &to->q, &to->dp, &to->dq, &to->iq };
	size_t used = 0;

	if (from->n_bitlen < CERTIFICATE_RSA_BITS_MIN)
		return "is an RSA key of less than 2048 bits";
	if (from->n_bitlen > CERTIFICATE_RSA_BITS_MAX)
		return "is an RSA key of more than 4096 bits";
	*to = *from;
	for (int i = 0; i < 5; i++) {
		if (sizes[i] > sizeof(c->secret) - used)
			return "is an RSA key with parts of unusual sizes";
		memcpy(c->secret + used, parts[i], sizes[i]);
		*into[i] = c->secret + used;
		used += sizes[i];
	}
	return NULL;
}

static const char *keep_ec(struct certificate *c, const br_ec_private_key *from)
{
	if (from->curve != BR_EC_secp256r1 && from->curve != BR_EC_secp384r1)
		return "is an EC key on another curve than P-256 and P-384";
	if (from->xlen > sizeof(c->secret))
		return "is no EC key";
	memcpy(c->secret, from->x, from->xlen);
	c->key.ec = (br_ec_private_key){ from->curve, c->secret, from->xlen };
	return NULL;
}

static bool same_rsa(const struct certificate *c, const br_rsa_public_key *pk)
{
	unsigned char n[CERTIFICATE_RSA_BITS_MAX / 8];
	br_rsa_compute_modulus compute = br_rsa_compute_modulus_get_default();
	size_t bytes = compute(NULL, &c->key.rsa), skip = 0;

	while (skip < pk->nlen && pk->n[skip] == 0)
		skip++;
	return bytes == pk->nlen - skip && bytes <= sizeof(n) && compute(n, &c->key.rsa) == bytes &&
	       memcmp(n, pk->n + skip, bytes) == 0;
}

static bool same_ec(const struct certificate *c, const br_ec_public_key *pk)
{
	unsigned char q[BR_EC_KBUF_PUB_MAX_SIZE];
	br_ec_public_key mine;

	return br_ec_compute_pub(br_ec_get_default(), &mine, q, &c->key.ec) > 0 && mine.curve == pk->curve &&
	       mine.qlen == pk->qlen && memcmp(mine.q, pk->q, pk->qlen) == 0;
}

static bool belongs(const struct certificate *c)
{
	br_x509_decoder_context decoder;
	const br_x509_pkey *pk;

	br_x509_decoder_init(&decoder, NULL, NULL);
	br_x509_decoder_push(&decoder, c->chain[0].data, c->chain[0].data_len);
	pk = br_x509_decoder_get_pkey(&decoder);
	if (pk == NULL || pk->key_type != c->key_type)
		return false;
	return c->key_type == BR_KEYTYPE_RSA ? same_rsa(c, &pk->key.rsa) : same_ec(c, &pk->key.ec);
}

static const char *read_der(struct certificate *c, const uint8_t *der, size_t bytes)
{
	br_skey_decoder_context decoder;
	const char *why = "is no private key that is understood";

	br_skey_decoder_init(&decoder);
	br_skey_decoder_push(&decoder, der, bytes);
	if (br_skey_decoder_last_error(&decoder) == 0) {
		c->key_type = br_skey_decoder_key_type(&decoder);
		why = c->key_type == BR_KEYTYPE_RSA ? keep_rsa(c, br_skey_decoder_get_rsa(&decoder)) :
		                                      keep_ec(c, br_skey_decoder_get_ec(&decoder));
	}
	explicit_bzero(&decoder, sizeof(decoder));
	return why;
}

/* Into scratch: the first private key of the text. */
static const char *find_key(struct str text, uint8_t *scratch, size_t cap, size_t *bytes)
{
	struct pem pem = { .rest = text };

	for (;;) {
		switch (pem_next(&pem, scratch, cap)) {
		case PEM_END:
			return "holds no private key";
		case PEM_BAD:
			return "is not good PEM (or is encrypted)";
		case PEM_TOO_LONG:
			return "is too long";
		case PEM_OBJECT:
			break;
		}
		if (str_eq(pem.name, STR("ENCRYPTED PRIVATE KEY")))
			return "is encrypted: nobody is here to ask for its password";
		if (str_eq(pem.name, STR("PRIVATE KEY")) || str_eq(pem.name, STR("RSA PRIVATE KEY")) ||
		    str_eq(pem.name, STR("EC PRIVATE KEY"))) {
			*bytes = pem.bytes;
			return NULL;
		}
	}
}

const char *certificate_read_key(struct certificate *c, struct str text, uint8_t *scratch,
                                 size_t scratch_bytes)
{
	size_t bytes = 0;
	const char *why = find_key(text, scratch, scratch_bytes, &bytes);

	assert(c->chain_count > 0);
	if (why == NULL)
		why = read_der(c, scratch, bytes);
	explicit_bzero(scratch, scratch_bytes);
	if (why == NULL && !belongs(c))
		why = "does not belong to the certificate";
	return why;
}

/* --- choosing --- */

enum certificate_match certificate_matches(const struct certificate *c, struct str host)
{
	enum certificate_match best = CERTIFICATE_OTHER;
	const char *dot = host.n == 0 ? NULL : memchr(host.p, '.', host.n);
	size_t label = dot == NULL ? 0 : (size_t)(dot - host.p);

	for (uint32_t i = 0; i < c->name_count; i++) {
		struct str name = c->names[i];

		if (str_eq_nocase(name, host))
			return CERTIFICATE_EXACT;
		if (label > 0 && name.n > 2 && str_has_prefix(name, STR("*.")) &&
		    str_eq_nocase(str_of(name.p + 1, name.n - 1), str_of(host.p + label, host.n - label)))
			best = CERTIFICATE_WILDCARD;
	}
	return best;
}

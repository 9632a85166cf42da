/*
 * Fuzzes wire/pem with the input as a text: what is read, written anew, is read again. And wire/spki, wire/der and
 * BearSSL's certificate decoder with the input as DER, wrapped in each of the labels that wire/jwk knows.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/base64.h"
#include "wire/jwk.h"
#include "wire/pem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { DER_BYTES_MAX = 4096 };

/* BEGIN label, digits, END label; returns its bytes. `out` is large enough. */
static size_t wrap(char *out, struct str label, const uint8_t *der, size_t n)
{
	const struct str parts[] = { STR("-----BEGIN "), label, STR("-----\n"), STR_NONE, STR("\n-----END "), label,
	                             STR("-----") };
	size_t at = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (str_absent(parts[i])) {
			at += base64_encode(out + at, BASE64_ENCODED_BYTES(n), der, n);
		} else {
			memcpy(out + at, parts[i].p, parts[i].n);
			at += parts[i].n;
		}
	}
	return at;
}

static void check_again(const struct pem *p, const uint8_t *der)
{
	size_t room = BASE64_ENCODED_BYTES(p->bytes) + 2 * PEM_LABEL_BYTES_MAX + 64;
	char *text = malloc(room);
	uint8_t *again = malloc(p->bytes);
	struct pem walk = { .rest = str_of(text, wrap(text, p->name, der, p->bytes)) };

	assert(pem_next(&walk, again, p->bytes) == PEM_OBJECT && walk.bytes == p->bytes);
	assert(str_eq(walk.name, p->name) && memcmp(again, der, p->bytes) == 0);
	assert(pem_next(&walk, again, p->bytes) == PEM_END);
	free(text);
	free(again);
}

static void check_text(struct str text, size_t cap)
{
	uint8_t *der = malloc(cap + !cap);
	struct pem p = { .rest = text };
	enum pem_result result;

	while ((result = pem_next(&p, der, cap)) == PEM_OBJECT) {
		assert(p.bytes >= 1 && p.bytes <= cap && p.name.n >= 1 && p.name.n <= PEM_LABEL_BYTES_MAX);
		check_again(&p, der);
	}
	assert(p.rest.n == 0 && pem_next(&p, der, cap) == PEM_END);
	free(der);
}

static void check_taken(const struct jwk *k)
{
	assert(k->kid_bytes == 0 && (k->algorithm == JWK_RS256 || k->algorithm == JWK_ES256));
	if (k->algorithm == JWK_RS256)
		assert(k->material_bytes >= 256 && k->material_bytes <= 512 && k->exponent_bytes >= 3 &&
		       k->material[0] != 0 && k->material[k->material_bytes - 1] % 2 == 1);
	else
		assert(k->material_bytes == 65 && k->material[0] == 4);
}

static void check_keys(struct str text, bool is_pem)
{
	static struct jwk_set set;
	enum jwk_result result;

	set.count = 0;
	result = jwk_set_add_pem(&set, text);
	assert((result == JWK_OK) == (set.count > 0) && set.count <= 2);
	assert(!is_pem || result != JWK_NOT_PEM);
	for (uint32_t i = 0; i < set.count; i++)
		check_taken(&set.keys[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct str labels[] = { { "PUBLIC KEY", 10 }, { "RSA PUBLIC KEY", 14 }, { "CERTIFICATE", 11 } };
	char *text = malloc(n + !n);

	if (n > 0)
		memcpy(text, data, n);
	check_text(str_of(text, n), n % 97);
	check_text(str_of(text, n), n);
	check_keys(str_of(text, n), false);
	free(text);
	for (size_t i = 0; i < 3 && n > 0 && n <= DER_BYTES_MAX; i++) {
		text = malloc(BASE64_ENCODED_BYTES(n) + 128);
		check_keys(str_of(text, wrap(text, labels[i], data, n)), true);
		free(text);
	}
	return 0;
}

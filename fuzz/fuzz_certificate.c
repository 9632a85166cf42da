/*
 * Files of certificates and keys, as an operator's mistake or a cut copy may leave them: the input is a chain, or with a first
 * byte of 'k' or 'r' a key for the chain (EC, RSA) of test/unit/tls_fixture.h. What is taken has sound names and points into itself.
 */
#include <assert.h>

#include "net/certificate.h"
#include "unit/tls_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct certificate *c)
{
	assert(c->chain_count > 0 && c->chain_count <= CERTIFICATE_CHAIN_MAX);
	for (size_t i = 0; i < c->chain_count; i++)
		assert(c->chain[i].data >= c->der && c->chain[i].data + c->chain[i].data_len <= c->der + sizeof(c->der));
	for (uint32_t i = 0; i < c->name_count; i++) {
		assert((const uint8_t *)c->names[i].p >= c->der && c->names[i].n > 0);
		assert((const uint8_t *)c->names[i].p + c->names[i].n <= c->der + sizeof(c->der));
		assert(certificate_matches(c, c->names[i]) == CERTIFICATE_EXACT);
	}
	(void)certificate_matches(c, STR("a.example"));
	(void)certificate_matches(c, STR(""));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct certificate c;
	static uint8_t scratch[65536];

	if (size > 0 && data[0] == 'k') {
		if (certificate_read_chain(&c, str_of(fixture_ec_crt, sizeof(fixture_ec_crt) - 1)) != NULL)
			abort();
		if (certificate_read_key(&c, str_of((const char *)data + 1, size - 1), scratch, sizeof(scratch)) == NULL)
			assert(c.key_type == BR_KEYTYPE_EC && c.key.ec.x == c.secret);
	} else if (size > 0 && data[0] == 'r') {
		if (certificate_read_chain(&c, str_of(fixture_rsa_crt, sizeof(fixture_rsa_crt) - 1)) != NULL)
			abort();
		if (certificate_read_key(&c, str_of((const char *)data + 1, size - 1), scratch, sizeof(scratch)) == NULL)
			assert(c.key_type == BR_KEYTYPE_RSA && c.key.rsa.p == c.secret && c.key.rsa.n_bitlen == 2048);
	} else if (certificate_read_chain(&c, str_of((const char *)data, size)) == NULL) {
		check(&c);
	}
	return 0;
}

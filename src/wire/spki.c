/* See wire/spki.h. What follows the last known field, at any level, makes the whole unreadable. */
#include "wire/spki.h"

#include <assert.h>

#include "wire/der.h"

/* 1.2.840.113549.1.1.1, 1.2.840.10045.2.1, 1.2.840.10045.3.1.7 */
static const char rsa_encryption[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
static const char ec_public_key[] = "\x2a\x86\x48\xce\x3d\x02\x01";
static const char secp256r1[] = "\x2a\x86\x48\xce\x3d\x03\x01\x07";

static bool is_oid(struct str s, const char *oid)
{
	return str_eq(s, str_of(oid, strlen(oid)));
}

bool spki_read_rsa(struct spki *out, struct str der)
{
	struct spki key = { STR_NONE, STR_NONE, STR_NONE };
	struct str fields;

	assert(der.p != NULL || der.n == 0);
	if (!der_take(&der, DER_SEQUENCE, &fields) || der.n > 0 ||
	    !der_take_unsigned(&fields, &key.modulus) || !der_take_unsigned(&fields, &key.exponent) ||
	    fields.n > 0)
		return false;
	*out = key;
	return true;
}

bool spki_read(struct spki *out, struct str der)
{
	struct str fields, algorithm, oid, parameter, key;

	assert(der.p != NULL || der.n == 0);
	if (!der_take(&der, DER_SEQUENCE, &fields) || der.n > 0 ||
	    !der_take(&fields, DER_SEQUENCE, &algorithm) || !der_take_bytes(&fields, &key) ||
	    fields.n > 0 || !der_take(&algorithm, DER_OID, &oid))
		return false;
	if (is_oid(oid, rsa_encryption))
		return der_take(&algorithm, DER_NULL, &parameter) && parameter.n == 0 && algorithm.n == 0 &&
		       spki_read_rsa(out, key);
	if (!is_oid(oid, ec_public_key) || !der_take(&algorithm, DER_OID, &parameter) ||
	    algorithm.n > 0 || !is_oid(parameter, secp256r1))
		return false;
	*out = (struct spki){ STR_NONE, STR_NONE, key };
	return true;
}

#include "wire/jwt.h"

#include "base/base64.h"

/* The text up to the next dot, taken off `rest`; absent `rest` afterwards when there was no dot. */
static struct str part(struct str *rest)
{
	const char *dot = rest->n == 0 ? NULL : memchr(rest->p, '.', rest->n);
	struct str head = *rest;

	if (dot == NULL) {
		*rest = STR_NONE;
		return head;
	}
	head.n = (size_t)(dot - rest->p);
	*rest = str_of(dot + 1, rest->n - head.n - 1);
	return head;
}

static bool is_base64url(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!base64_is_digit(BASE64_URL, s.p[i]))
			return false;
	return true;
}

bool jwt_payload(struct str token, uint8_t *out, size_t cap, size_t *n)
{
	struct str rest = token, header = part(&rest), payload, signature;

	if (str_absent(rest))
		return false;
	payload = part(&rest);
	if (str_absent(rest))
		return false;
	signature = part(&rest);
	if (!str_absent(rest) || header.n == 0 || payload.n == 0 || !is_base64url(header) ||
	    !is_base64url(signature))
		return false;
	return base64_decode(BASE64_URL, payload, out, cap, n);
}

/* base/hex.c: see hex.h. */
#include "base/hex.h"

#include <assert.h>

void hex_put_u64(char *out, uint64_t v)
{
	assert(out != NULL);
	for (int i = HEX_U64_BYTES; i-- > 0; v >>= 4)
		out[i] = "0123456789abcdef"[v & 0xf];
}

bool hex_get_u64(struct str s, uint64_t *v)
{
	uint64_t sum = 0;

	assert(v != NULL);
	if (s.n != HEX_U64_BYTES)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c >= '0' && c <= '9')
			sum = sum << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			sum = sum << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*v = sum;
	return true;
}

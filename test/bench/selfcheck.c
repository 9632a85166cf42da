/* The generator's arithmetic held against itself (TAP): a wrong histogram would be believed. Run by `run --check`. */
#include "hist.h"
#include "script.h"

#include "../tap.h"

#include <stdlib.h>

/* Uniform 1..n: every quantile is known; the answer may be at most 1/128 above it, never below. */
static void check_uniform(struct hist *h, uint64_t n, uint64_t step)
{
	static const uint32_t permilles[] = { 1, 10, 500, 990, 999, 1000 };
	uint64_t i, want, got;

	hist_reset(h);
	for (i = n; i >= 1; i--)
		hist_add(h, i * step);
	for (i = 0; i < sizeof(permilles) / sizeof(permilles[0]); i++) {
		want = (n * permilles[i] + 999) / 1000 * step;
		got = hist_quantile(h, permilles[i]);
		tap_ok(got >= want && got <= want + want / 128, "quantile %u/1000 of 1..%llu times %llu", permilles[i],
		       (unsigned long long)n, (unsigned long long)step);
	}
	tap_is_u64(h->max, n * step, "the maximum is exact");
}

static void check_edges(struct hist *h)
{
	hist_reset(h);
	tap_is_u64(hist_quantile(h, 500), 0, "an empty histogram answers 0");
	hist_add(h, 0);
	tap_is_u64(hist_quantile(h, 1000), 0, "zero is a value");
	hist_add(h, UINT64_MAX);
	tap_is_u64(hist_quantile(h, 1000), UINT64_MAX, "the largest value has a slot");
	tap_is_u64(h->count, 2, "both were counted");
}

static void check_script(void)
{
	static const uint8_t masked_ping[] = { 0x81, 0x8f, 0x37, 0xfa, 0x21, 0x3d };
	uint8_t out[SCRIPT_BYTES_MAX];
	char text[64] = { 0 };
	struct script s;
	size_t n, i;

	tap_ok(!script_init(&s, "none", 160, 1, 1), "an unknown dialect is refused");
	tap_ok(script_init(&s, "rooms", 160, 100, 1), "rooms is known");
	n = script_ask(&s, out, sizeof(out));
	tap_is_u64(n, 6 + 15, "a ping of 15 bytes, masked");
	tap_ok(memcmp(out, masked_ping, sizeof(masked_ping)) == 0, "header and key");
	for (i = 6; i < n; i++)
		text[i - 6] = (char)(out[i] ^ masked_ping[2 + (i - 6) % 4]);
	tap_is_str(text, "{\"type\":\"ping\"}", "unmasked it reads");
	(void)script_init(&s, "floor", 160, 1, 1);
	tap_is_u64(script_event(&s, 0, 1, out, sizeof(out)), 1, "the floor's event is one byte");
	tap_is_u64(script_ask(&s, out, sizeof(out)), 102, "the floor's question is 100 bytes in a frame");
}

int main(void)
{
	struct hist *h = malloc(sizeof(*h));

	if (h == NULL)
		return 1;
	check_edges(h);
	check_uniform(h, 100, 1);
	check_uniform(h, 10000, 1);
	check_uniform(h, 10000, 1234567);
	check_script();
	free(h);
	return tap_done();
}

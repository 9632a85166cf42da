/*
 * base/jsonw: what each call writes; the same bytes whatever the chunks; sticky failure at every size too
 * small.
 */
#include <stdlib.h>
#include <time.h>

#include "base/jsonw.h"
#include "tap.h"

static void w_flat(struct jsonw *w)
{
	jsonw_obj(w);
	jsonw_key(w, STR("type"));
	jsonw_str(w, STR("presence_update"));
	jsonw_key(w, STR("n"));
	jsonw_i64(w, -5);
	jsonw_key(w, STR("on"));
	jsonw_bool(w, true);
	jsonw_key(w, STR("off"));
	jsonw_bool(w, false);
	jsonw_key(w, STR("none"));
	jsonw_null(w);
	jsonw_end_obj(w);
}

static void w_nested(struct jsonw *w)
{
	jsonw_arr(w);
	jsonw_arr(w);
	jsonw_end_arr(w);
	jsonw_obj(w);
	jsonw_end_obj(w);
	jsonw_obj(w);
	jsonw_key(w, STR("a"));
	jsonw_arr(w);
	jsonw_u64(w, 1);
	jsonw_obj(w);
	jsonw_key(w, STR("b"));
	jsonw_obj(w);
	jsonw_end_obj(w);
	jsonw_end_obj(w);
	jsonw_u64(w, 2);
	jsonw_end_arr(w);
	jsonw_key(w, STR("c"));
	jsonw_null(w);
	jsonw_end_obj(w);
	jsonw_end_arr(w);
}

static void w_numbers(struct jsonw *w)
{
	jsonw_arr(w);
	jsonw_i64(w, 0);
	jsonw_i64(w, 9);
	jsonw_i64(w, 10);
	jsonw_i64(w, INT64_MAX);
	jsonw_i64(w, INT64_MIN);
	jsonw_u64(w, UINT64_MAX);
	jsonw_end_arr(w);
}

static void w_escapes(struct jsonw *w)
{
	jsonw_arr(w);
	jsonw_str(w, STR("\"\\/"));
	jsonw_str(w, STR("\b\f\n\r\t"));
	jsonw_str(w, STR("\0\x01\x1f\x7f"));
	jsonw_str(w, STR("eight888\n"));
	jsonw_str(w, STR("sevenss\"sevenss\"x"));
	jsonw_str(w, STR("\xc3\xa9\xe2\x80\xa8\xf0\x9d\x84\x9e"));
	jsonw_str(w, STR(""));
	jsonw_end_arr(w);
}

static void w_absent(struct jsonw *w)
{
	jsonw_arr(w);
	jsonw_str_or_null(w, STR_NONE);
	jsonw_str_or_null(w, STR(""));
	jsonw_raw(w, STR_NONE);
	jsonw_raw(w, STR("{ \"k\" : 1 }"));
	jsonw_wall(w, WALL_NONE);
	jsonw_wall(w, (wall_t){ 1768392000123 });
	jsonw_end_arr(w);
}

static void w_keys(struct jsonw *w)
{
	jsonw_obj(w);
	jsonw_key_str(w, STR("a\"\n"));
	jsonw_null(w);
	jsonw_key_str(w, STR(""));
	jsonw_null(w);
	jsonw_key(w, STR(""));
	jsonw_null(w);
	jsonw_end_obj(w);
}

static void w_lonely(struct jsonw *w)
{
	jsonw_str(w, STR("x"));
}

static const struct row { const char *name; void (*write)(struct jsonw *w); const char *want; } rows[] = {
	{ "flat object", w_flat, "{\"type\":\"presence_update\",\"n\":-5,\"on\":true,\"off\":false,\"none\":null}" },
	{ "nested", w_nested, "[[],{},{\"a\":[1,{\"b\":{}},2],\"c\":null}]" },
	{ "numbers", w_numbers, "[0,9,10,9223372036854775807,-9223372036854775808,18446744073709551615]" },
	{ "8259 7: escapes", w_escapes,
	  "[\"\\\"\\\\/\",\"\\b\\f\\n\\r\\t\",\"\\u0000\\u0001\\u001f\x7f\",\"eight888\\n\",\"sevenss\\\"sevenss\\\"x\","
	  "\"\xc3\xa9\xe2\x80\xa8\xf0\x9d\x84\x9e\",\"\"]" },
	{ "absent, raw and dates", w_absent, "[null,\"\",null,{ \"k\" : 1 },null,\"2026-01-14T12:00:00.123Z\"]" },
	{ "keys from outside", w_keys, "{\"a\\\"\\n\":null,\"\":null,\"\":null}" },
	{ "lonely value", w_lonely, "\"x\"" },
};

/*
 * Chunks of `chunk_bytes` each out of one allocation of exactly bytes_max, so that ASan sees the first
 * byte too many.
 */
struct chunks {
	char *mem;
	size_t chunk_bytes, used, bytes_max;
};

static bool more(struct jsonw *w)
{
	struct chunks *c = w->ctx;
	size_t n = c->bytes_max - c->used < c->chunk_bytes ? c->bytes_max - c->used : c->chunk_bytes;

	if (n == 0)
		return false;
	w->p = c->mem + c->used;
	w->end = w->p + n;
	c->used += n;
	return true;
}

/* Writes the row into chunks; true if it came out as wanted, or failed because bytes_max were too few. */
static bool run_chunks(const struct row *r, size_t chunk_bytes, size_t bytes_max)
{
	struct chunks c = { malloc(bytes_max + !bytes_max), chunk_bytes, 0, bytes_max };
	size_t want = strlen(r->want);
	size_t fits = want < bytes_max ? want : bytes_max;
	struct jsonw w;
	bool ok;

	jsonw_init_chunks(&w, NULL, 0, more, &c);
	r->write(&w);
	ok = w.failed == (bytes_max < want) && w.depth == 0 && memcmp(c.mem, r->want, fits) == 0;
	if (!w.failed)
		ok = ok && jsonw_bytes(&w) == want;
	free(c.mem);
	return ok;
}

static bool run_bounded(const struct row *r, size_t bytes)
{
	char *mem = malloc(bytes + !bytes);
	size_t want = strlen(r->want);
	struct jsonw w;
	bool ok;

	jsonw_init(&w, mem, bytes);
	r->write(&w);
	if (bytes < want)
		ok = w.failed && str_absent(jsonw_text(&w));
	else
		ok = !w.failed && str_eq(jsonw_text(&w), str_of(r->want, want)) && jsonw_bytes(&w) == want;
	free(mem);
	return ok;
}

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		size_t want = strlen(r->want);
		bool chunks = true;
		bool bounded = true;

		for (size_t n = 1; n <= want + 1; n++)
			chunks = chunks && run_chunks(r, n, want) && run_chunks(r, n, want + 9);
		for (size_t n = 0; n <= want + 9; n++) {
			bounded = bounded && run_bounded(r, n);
			chunks = chunks && run_chunks(r, 7, n);
		}
		tap_ok(bounded, "%s: in one buffer of every size", r->name);
		tap_ok(chunks, "%s: in chunks of every size, and when they run out anywhere", r->name);
	}
}

/* Every byte 0x00-0x7f at every place of a word. */
static void test_every_place(void)
{
	uint32_t bad = 0;

	for (unsigned c = 0; c < 0x80; c++)
		for (size_t at = 0; at < 24; at++) {
			bool plain = c >= 0x20 && c != '"' && c != '\\';
			char in[24], out[64];
			struct jsonw w;

			memset(in, 'x', sizeof(in));
			in[at] = (char)c;
			jsonw_init(&w, out, sizeof(out));
			jsonw_str(&w, str_of(in, sizeof(in)));
			bad += (jsonw_bytes(&w) == sizeof(in) + 2) != plain || (out[at + 1] == '\\') == plain;
		}
	tap_is_u64(bad, 0, "8259 7: every ASCII byte at every place of three words");
}

static void event(struct jsonw *w)
{
	jsonw_obj(w);
	jsonw_key(w, STR("type"));
	jsonw_str(w, STR("presence_update"));
	jsonw_key(w, STR("payload"));
	jsonw_obj(w);
	jsonw_key(w, STR("user_id"));
	jsonw_str(w, STR("user-123456"));
	jsonw_key(w, STR("online_status"));
	jsonw_str(w, STR("away"));
	jsonw_key(w, STR("last_seen"));
	jsonw_wall(w, (wall_t){ 1768392000123 });
	jsonw_key(w, STR("device_count"));
	jsonw_u64(w, 2);
	jsonw_end_obj(w);
	jsonw_key(w, STR("timestamp"));
	jsonw_wall(w, (wall_t){ 1768392000123 });
	jsonw_end_obj(w);
}

/* Printed, not judged; say so with -O2 and without sanitizers. */
static void time_event(void)
{
	enum { ROUNDS = 200000 };
	struct timespec a, b;
	char out[256];
	struct jsonw w;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < ROUNDS; i++) {
		jsonw_init(&w, out, sizeof(out));
		event(&w);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	tap_ok(!w.failed, "an event of %zu bytes", jsonw_bytes(&w));
	printf("# %.0f ns each\n",
	       ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / ROUNDS);
}

int main(void)
{
	test_rows();
	test_every_place();
	time_event();
	return tap_done();
}

/*
 * fuzz/fuzz_tls_client.c: net/tls_client and a server that is none, or whose bytes were changed on their way. Believed is only what the
 * server of test/unit/tls_fixture.h said, from its first byte on; a failure has a reason, and nothing comes after it.
 *
 *	input: options, then with option 1 the server's bytes as they are, so many at a time as options / 8 says;
 *	else 3 bytes each: where in the server's bytes, and what is turned there; behind a 0, 0, 0 records: type, length, payload
 */
#include "net/tls_client.h"
#include "tls_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { WALL_S = 1800000000, SAID_MAX = 65536, APPLICATION_DATA = 23 };

static struct tls_client t;
static uint8_t said[SAID_MAX];
static size_t said_n, heard_n, sent_n; /* by the server, as text; by us; its bytes on the wire */

struct turning {
	const uint8_t *p;
	size_t n;                      /* in threes */
};

static void begin(unsigned options)
{
	static const unsigned char seed[TLS_CLIENT_SEED_BYTES] = "the same each time";
	const struct certificate *c = &pairs[options / 4 % 2];
	struct str host = options & 8 ? STR("other.example") : options / 4 % 2 ? STR("rsa.example") : STR("ec.example");
	wall_t wall = { options & 16 ? 0 : INT64_C(1000) * WALL_S };

	server_begin(c);
	said_n = heard_n = sent_n = 0;
	if (options & 2)
		tls_client_init_unverified(&t, seed);
	else if (options & 32)
		CHECK(tls_client_init_bare(&t, &anchors, host, wall, seed));
	else
		CHECK(tls_client_init(&t, &anchors, host, wall, seed));
}

/* What the client hears, it hears as the server said it. */
static void listen(void)
{
	unsigned char *p;
	size_t n;

	while ((n = tls_client_plain(&t, &p)) > 0) {
		CHECK(heard_n + n <= said_n && memcmp(p, said + heard_n, n) == 0);
		heard_n += n;
		tls_client_taken(&t, n);
	}
}

static void check_state(void)
{
	unsigned char *p;

	CHECK((tls_client_state(&t) == TLS_CLIENT_FAILED) == (tls_client_why(&t).n > 0));
	if (tls_client_state(&t) >= TLS_CLIENT_CLOSED)
		CHECK(tls_client_plain(&t, &p) == 0 && tls_client_space(&t, &p) == 0);
}

/* To the client, as many bytes as it has room for; what it says goes to nobody. */
static size_t feed(const uint8_t *in, size_t n)
{
	unsigned char *p;
	size_t room;

	while ((room = tls_client_output(&t, &p)) > 0)
		tls_client_sent(&t, room);
	room = tls_client_room(&t, &p);
	n = n < room ? n : room;
	if (n > 0) {
		memcpy(p, in, n);
		tls_client_received(&t, n);
	}
	listen();
	check_state();
	return n;
}

static void raw(const uint8_t *data, size_t n, size_t step)
{
	for (size_t some; n > 0; data += some, n -= some) {
		some = feed(data, step == 0 || step > n ? n : step);
		if (some == 0)
			break;
	}
	CHECK(tls_client_state(&t) != TLS_CLIENT_OPEN);
}

static void turn_bytes(unsigned char *p, size_t n, const struct turning *patch)
{
	for (size_t i = 0; i + 3 <= patch->n; i += 3) {
		size_t at = (size_t)(patch->p[i] | patch->p[i + 1] << 8);

		if (at >= sent_n && at < sent_n + n)
			p[at - sent_n] ^= patch->p[i + 2];
	}
	sent_n += n;
}

/* One way and the other, until both have said all. */
static void settle(const struct turning *patch)
{
	br_ssl_engine_context *e = &server.eng;
	unsigned char *from, *to;
	size_t n, room;

	for (;;) {
		bool any = false;

		while ((n = tls_client_output(&t, &from)) > 0 && (to = br_ssl_engine_recvrec_buf(e, &room)) != NULL) {
			n = n < room ? n : room;
			memcpy(to, from, n);
			tls_client_sent(&t, n);
			br_ssl_engine_recvrec_ack(e, n);
			any = true;
		}
		while ((to = br_ssl_engine_recvapp_buf(e, &n)) != NULL)
			br_ssl_engine_recvapp_ack(e, n);
		while ((from = br_ssl_engine_sendrec_buf(e, &n)) != NULL && (room = tls_client_room(&t, &to)) > 0) {
			n = n < room ? n : room;
			turn_bytes(from, n, patch);
			memcpy(to, from, n);
			br_ssl_engine_sendrec_ack(e, n);
			tls_client_received(&t, n);
			listen();
			any = true;
		}
		check_state();
		if (!any)
			break;
	}
}

static void records(const uint8_t *p, size_t n, const struct turning *patch)
{
	br_ssl_engine_context *e = &server.eng;

	while (n >= 2) {
		size_t bytes = p[1] < n - 2 ? p[1] : n - 2, room;
		unsigned char *to = br_ssl_engine_sendapp_buf(e, &room);

		if (to == NULL || room < bytes || said_n + bytes > SAID_MAX)
			return;
		memcpy(to, p + 2, bytes);
		e->record_type_out = (unsigned char)(20 + (p[0] & 3));
		if (e->record_type_out == APPLICATION_DATA) {
			memcpy(said + said_n, p + 2, bytes);
			said_n += bytes;
		}
		br_ssl_engine_sendapp_ack(e, bytes);
		br_ssl_engine_flush(e, 1);
		settle(patch);
		e->record_type_out = APPLICATION_DATA;
		if (p[0] & 4 && tls_client_space(&t, &to) > 0) {
			*to = 'x';
			tls_client_written(&t, 1);
			tls_client_flush(&t);
		}
		if (p[0] & 8)
			tls_client_close(&t);
		settle(patch);
		p += 2 + bytes;
		n -= 2 + bytes;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct turning patch;
	unsigned options;

	if (n == 0 || n > 20000)
		return 0;
	options = *data++;
	n--;
	begin(options & 1 ? options & 6 : options);
	if (options & 1) {
		raw(data, n, options >> 3);
	} else {
		patch = (struct turning){ data, 0 };
		while (patch.n + 3 <= n && (data[patch.n] | data[patch.n + 1] | data[patch.n + 2]) != 0)
			patch.n += 3;
		settle(&patch);
		if (patch.n == 0)
			CHECK((tls_client_state(&t) == TLS_CLIENT_OPEN) == ((options & 2) != 0 || (options & 24) == 0));
		if (tls_client_state(&t) == TLS_CLIENT_OPEN && n > patch.n + 3)
			records(data + patch.n + 3, n - patch.n - 3, &patch);
	}
	tls_client_end(&t);
	check_state();
	CHECK(tls_client_state(&t) >= TLS_CLIENT_CLOSED);
	return 0;
}

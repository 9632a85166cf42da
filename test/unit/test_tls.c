/* What net/tls.h promises, case by case. Rows name RELIABILITY ids. */
#include "tls_rig.h"

/* --- cases --- */

static uint8_t pattern[200000];

static const struct {
	const char *name, *host;
	uint32_t pair;
	uint16_t suites[3];
	uint16_t want;
} choices[] = {
	{ "its name, EC", "ec.example", 1, { 0 }, BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 },
	{ "its name, RSA", "rsa.example", 0, { 0 }, BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 },
	{ "any case", "RSA.Example", 0, { 0 }, BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 },
	{ "both have it: EC", "both.example", 1, { 0 }, BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 },
	{ "both have it, the client knows RSA", "both.example", 0,
	  { BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 }, BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 },
	{ "a wildcard", "a.wild.example", 1, { 0 }, BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 },
	{ "a common name, P-384", "p384.example", 2, { 0 }, BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 },
	{ "an unknown name", "else.example", 1, { 0 }, BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 },
	{ "no name", NULL, 1, { 0 }, BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 },
	{ "its name, but the client knows the other kind only", "rsa.example", 1,
	  { BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 }, BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 },
	{ "AES before ChaCha, whatever the client likes", "ec.example", 1,
	  { BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 },
	  BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 },
	{ "RSA key exchange", "rsa.example", 0, { BR_TLS_RSA_WITH_AES_128_GCM_SHA256 }, 0 },
	{ "CBC", "rsa.example", 0, { BR_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 }, 0 },
	{ "CCM", "ec.example", 1, { BR_TLS_ECDHE_ECDSA_WITH_AES_128_CCM }, 0 },
};

static void test_choices(struct rig *r)
{
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		struct link *k = dial(r, 0, choices[i].pair);
		br_ssl_session_parameters session;
		size_t n = 0;

		while (n < 3 && choices[i].suites[n] != 0)
			n++;
		if (n > 0)
			br_ssl_engine_set_suites(&k->client.eng, choices[i].suites, n);
		start(k, choices[i].host, false);
		settle(r, k);
		if (choices[i].want == 0) {
			tap_ok(!is_open(k) && k->hung && client_error(k) == BR_ERR_RECV_FATAL_ALERT + 40,
			       "B6: %s is refused with handshake_failure", choices[i].name);
		} else {
			client_say(k, "hello", 5);
			settle(r, k);
			br_ssl_engine_get_session_parameters(&k->client.eng, &session);
			tap_ok(is_open(k) && session.cipher_suite == choices[i].want && k->said_n == 5 &&
			               memcmp(k->said, "hello", 5) == 0 && cells(r) == 0,
			       "SNI and suites: %s (error %d)", choices[i].name, client_error(k));
		}
		hang(r, k);
	}
}

static void test_versions(struct rig *r)
{
	struct link *k = dial(r, 0, 1);

	br_ssl_engine_set_versions(&k->client.eng, BR_TLS10, BR_TLS11);
	start(k, "ec.example", false);
	settle(r, k);
	tap_ok(client_error(k) == BR_ERR_RECV_FATAL_ALERT + 70 && k->hung, "TLS 1.1 is refused with protocol_version (error %d)",
	       client_error(k));
	hang(r, k);
}

/* A whole handshake and an exchange, the client's bytes given as `step` says; false when it failed. */
static bool exchange(struct rig *r, bool resume, size_t first, size_t step, size_t takes)
{
	struct link *k = dial(r, 0, 1);
	bool good;

	start(k, "ec.example", resume);
	k->gives = first;
	for (int i = 0; i < 4000 && k->said_n < 300; i++) {
		client_go(k);
		if (is_open(k) && br_ssl_engine_current_state(&k->client.eng) & BR_SSL_SENDAPP && k->said_n == 0 &&
		    k->up.from == k->up.to && k->got_n == 0)
			client_say(k, pattern, 300);
		if (takes != SIZE_MAX)
			k->takes = takes;
		turn(r);
		if (k->gives == 0)
			k->gives = step;
	}
	good = k->said_n == 300 && memcmp(k->said, pattern, 300) == 0 && !k->hung && cells(r) == 0;
	hang(r, k);
	return good;
}

static void test_splits(struct rig *r)
{
	int bad = 0;

	tap_ok(exchange(r, false, SIZE_MAX, SIZE_MAX, SIZE_MAX), "a handshake and 300 bytes there and back");
	tap_ok(exchange(r, false, 1, 1, SIZE_MAX), "the same, byte by byte");
	tap_ok(exchange(r, false, SIZE_MAX, SIZE_MAX, 1), "the socket takes one byte at a time");
	tap_ok(exchange(r, false, SIZE_MAX, SIZE_MAX, 100), "the socket takes 100 bytes at a time");
	tap_ok(exchange(r, false, 3, 7, 5), "both at once");
	for (size_t first = 1; first < 420; first += 13)
		bad += !exchange(r, false, first, SIZE_MAX, SIZE_MAX);
	tap_ok(bad == 0, "full handshakes, cut at every 13th byte (%d bad)", bad);
	bad = 0;
	for (size_t first = 1; first < 700; first++)
		bad += !exchange(r, true, first, SIZE_MAX, SIZE_MAX);
	tap_ok(bad == 0, "resumed handshakes and their data, cut at every byte (%d bad)", bad);
	tap_ok(r->t->resumed > 600, "they were resumed (%" PRIu64 ")", r->t->resumed);
}

static void test_sizes(struct rig *r)
{
	static const size_t sizes[] = { 1, 2, 500, 990, 1000, 1024, 4000, 16383, 16384, 16385, 50000, 200000 };
	static const size_t rooms[] = { 65536, 20000, 16384, 100, 1 };
	struct link *k = opened(r, 0);
	int bad = 0;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (size_t w = 0; w < sizeof(rooms) / sizeof(rooms[0]); w++) {
			if (sizes[i] > rooms[w] * 1100)
				continue;
			k->got_n = k->said_n = k->out_from = k->out_to = 0;
			k->up.from = k->up.to = k->down.from = k->down.to = 0;
			k->room = rooms[w];
			client_say(k, pattern, sizes[i]);
			for (size_t n = 0; n < 20 + 2 * sizes[i] / rooms[w]; n++) {
				turn(r);
				client_go(k);
			}
			if (k->said_n != sizes[i] || memcmp(k->said, pattern, sizes[i]) != 0 || cells(r) != 0) {
				printf("# %zu bytes read %zu at a time: got %zu\n", sizes[i], rooms[w], k->said_n);
				bad++;
			}
		}
	tap_ok(bad == 0, "records of every size, read by a server that has little room or much (%d bad)", bad);
	hang(r, k);
}

static void test_slow_reader(struct rig *r)
{
	struct link *k = opened(r, 0);
	bool good = true;

	client_say(k, pattern, 100000);
	k->takes = 20000;
	settle(r, k);
	good = cells(r) == 1 && k->out_from < 100000 && (watched(r, k) & EPOLLOUT);
	for (int i = 0; i < 500 && k->said_n < 100000; i++) {
		k->takes = 700;
		turn(r);
		client_go(k);
	}
	tap_ok(good && k->said_n == 100000 && memcmp(k->said, pattern, 100000) == 0 && cells(r) == 0,
	       "D3: what the socket does not take waits in one cell, and all comes in the end");
	hang(r, k);
}

/* So many turns at one time; how often it was written to. */
static unsigned writes_in(struct rig *r, struct link *k, int turns)
{
	unsigned before = k->writes;

	for (int i = 0; i < turns; i++)
		turn(r);
	return k->writes - before;
}

static void test_starved(struct rig *r)
{
	struct link *k = dial(r, 0, 1);
	unsigned spun;

	start(k, "ec.example", false);
	client_go(k);
	k->starved = true;
	spun = writes_in(r, k, 50);
	k->starved = false;
	settle(r, k);
	tap_ok(spun <= 2 && !is_open(k), "no memory for a handshake's answer: it waits (%u tries)", spun);
	r->now.mono = tls_deadline(r->t);
	settle(r, k);
	tap_ok(is_open(k) && cells(r) == 0, "and goes on though epoll tells nothing");

	k->starved = true;
	client_say(k, pattern, 3000);
	spun = writes_in(r, k, 50);
	tap_ok(spun <= 3 && cells(r) == 1 && !(watched(r, k) & EPOLLOUT), "nor for a record (%u tries)", spun);
	r->now.mono.ms += WRITE_RETRY_MS;
	tap_ok(writes_in(r, k, 50) == 1 && !k->hung, "which is tried again, once");
	k->starved = false;
	r->now.mono.ms += WRITE_RETRY_MS;
	settle(r, k);
	tap_ok(k->said_n == 3000 && memcmp(k->said, pattern, 3000) == 0 && cells(r) == 0, "and all comes");
	hang(r, k);
	tap_ok(tls_deadline(r->t).ms == MONO_NEVER.ms, "then nothing is due");
}

static void test_partial(struct rig *r)
{
	struct link *k = opened(r, 0);
	size_t whole;
	int bad = 0;

	for (int size = 10; size <= 3000; size += 2990) {
		k->up.from = k->up.to = 0;
		k->got_n = 0;
		client_say(k, pattern, (size_t)size);
		whole = k->up.to;
		for (size_t cut = 0; cut < whole; cut += size < 100 ? 1 : 97) {
			size_t want = k->up.from <= 5 ? 0 : 1;

			k->gives = cut - k->up.from;
			turn(r);
			want = cut > 5;
			if (cells(r) != want || k->got_n != 0)
				bad++;
		}
		k->gives = SIZE_MAX;
		settle(r, k);
		bad += k->got_n != (size_t)size || cells(r) != 0;
	}
	tap_ok(bad == 0, "a record that came in part holds one cell from its sixth byte on, and gives it back (%d bad)", bad);
	hang(r, k);
}

static void test_exhaustion(struct rig *r)
{
	struct link *a = opened(r, 0), *b = opened(r, 1), *c = opened(r, 2);

	pool_limit(&r->t->cells[TLS_BIG].pool, 1);
	client_say(a, pattern, 4000);
	a->gives = 2000;
	turn(r);
	r->now.mono.ms += 5;
	client_say(b, pattern, 4000);
	b->gives = 2000;
	client_say(c, pattern, 300);
	turn(r);
	turn(r);
	tap_ok(a->hung && !b->hung && !c->hung && c->got_n == 300,
	       "D11: all large cells are out: whoever held one longest goes, others notice nothing");
	b->gives = SIZE_MAX;
	hang(r, a);
	settle(r, b);
	tap_ok(b->got_n == 4000 && r->t->faults[TLS_FAULT_POOL] == 1, "D11: and who came last goes on");
	pool_limit(&r->t->cells[TLS_BIG].pool, POOL_NONE);
	hang(r, b);
	hang(r, c);
}

static void test_deadlines(struct rig *r)
{
	struct link *k = dial(r, 0, 1), *held = opened(r, 1);
	mono_t begun = r->now.mono;

	start(k, "ec.example", false);
	client_go(k);
	client_say(held, pattern, 100);
	held->gives = 50;
	for (k->gives = 0; r->now.mono.ms < begun.ms + 4999; r->now.mono.ms += 100) {
		k->gives = 1;
		turn(r);
	}
	r->now.mono.ms = begun.ms + 4999;
	turn(r);
	tap_ok(!k->hung && tls_deadline(r->t).ms == begun.ms + TLS_HANDSHAKE_MS, "H17: a dripped handshake lives 5 s");
	r->now.mono.ms = begun.ms + 5000;
	turn(r);
	turn(r);
	tap_ok(k->hung && r->t->faults[TLS_FAULT_TIMEOUT] == 1, "D9, H17: not longer");
	r->now.mono.ms = begun.ms + 9999;
	turn(r);
	tap_ok(!held->hung, "H17: half a record lives 10 s");
	r->now.mono.ms = begun.ms + 10000;
	turn(r);
	turn(r);
	tap_ok(held->hung && cells(r) == 0 && r->t->faults[TLS_FAULT_STALLED] == 1, "H17: not longer");
	hang(r, k);
	hang(r, held);
	held = opened(r, 1);
	client_say(held, pattern, 3000);
	held->takes = 100;
	settle(r, held);
	r->now.mono.ms += 10000;
	turn(r);
	turn(r);
	tap_ok(held->hung && cells(r) == 0, "D3: a record that is not taken in 10 s ends it");
	hang(r, held);
	tap_ok(tls_deadline(r->t).ms == MONO_NEVER.ms, "then nothing is due");
}

static void test_alpn(struct rig *r)
{
	static const char *ours[] = { "h2", "http/1.1" }, *others[] = { "h2", "spdy/3" };
	uint64_t resumed;
	struct link *k = dial(r, 0, 1);

	br_ssl_engine_set_protocol_names(&k->client.eng, ours, 2);
	start(k, "ec.example", false);
	settle(r, k);
	tap_ok(is_open(k) && strcmp(br_ssl_engine_get_selected_protocol(&k->client.eng), "http/1.1") == 0, "ALPN: http/1.1");
	hang(r, k);
	k = dial(r, 0, 1);
	br_ssl_engine_set_protocol_names(&k->client.eng, others, 2);
	start(k, "ec.example", false);
	settle(r, k);
	tap_ok(client_error(k) == BR_ERR_RECV_FATAL_ALERT + 120 && k->hung, "RFC 7301 3.2: no_application_protocol");
	hang(r, k);
	exchange(r, false, SIZE_MAX, SIZE_MAX, SIZE_MAX);
	resumed = r->t->resumed;
	k = dial(r, 0, 1);
	br_ssl_engine_set_protocol_names(&k->client.eng, others, 2);
	start(k, "ec.example", true);
	settle(r, k);
	tap_ok(r->t->resumed > resumed && !k->hung,
	       "BearSSL 0.6 would read name 65534 of one here: a session is resumed with other protocols offered");
	hang(r, k);
}

static void test_renegotiation(struct rig *r)
{
	struct link *k = opened(r, 0);

	br_ssl_engine_renegotiate(&k->client.eng);
	settle(r, k);
	tap_ok(client_error(k) == BR_ERR_RECV_FATAL_ALERT + 100, "B5: renegotiation is refused (error %d)", client_error(k));
	hang(r, k);
}

/* Two handshake messages in one record, after the handshake: BearSSL never looks at the second. */
static void test_stuck(struct rig *r)
{
	static const uint8_t hellos[] = { 1, 0, 0, 4, 3, 3, 0, 0, 1, 0, 0, 4, 3, 3, 0, 0 };
	struct link *k = opened(r, 0);

	k->client.eng.record_type_out = 22;
	client_say(k, hellos, sizeof(hellos));
	k->client.eng.record_type_out = 23;
	settle(r, k);
	tap_ok(k->hung && !k->ended && cells(r) == 0, "two hellos in one record, once it is open: broken");
	hang(r, k);
}

static const struct {
	const char *name;
	const char *bytes;
	size_t n;
	int alert;               /* in the clear; 0: HTTP */
} rubbish[] = {
	{ "not TLS at all", "\x99\x88\x77\x66\x55\x44", 6, 70 },
	{ "plain HTTP", "GET / HTTP/1.1\r\n\r\n", 18, 0 },
	{ "SSLv2", "\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10", 11, 70 },
	{ "a record of 16 KiB + 1", "\x16\x03\x01\x40\x01\x01", 6, 22 },
	{ "application data first", "\x17\x03\x03\x00\x05hello", 10, 10 },
	{ "ChangeCipherSpec first", "\x14\x03\x03\x00\x01\x01", 6, 10 },
	{ "a Finished first", "\x16\x03\x01\x00\x04\x14\x00\x00\x00", 9, 10 },
	{ "a hello that ends early", "\x16\x03\x01\x00\x08\x01\x00\x00\x04\x03\x03\x00\x00", 13, 50 },
	{ "a record of an unknown type", "\x63\x03\x03\x00\x02xx", 7, 10 },
};

static void test_rubbish(struct rig *r)
{
	struct link *k;
	size_t first;

	for (size_t i = 0; i < sizeof(rubbish) / sizeof(rubbish[0]); i++) {
		k = dial(r, 0, 1);
		memcpy(k->up.v, rubbish[i].bytes, rubbish[i].n);
		k->up.to = rubbish[i].n;
		turn(r);
		turn(r);
		if (rubbish[i].alert == 0)
			tap_ok(k->hung && strncmp((char *)k->down.v, "HTTP/1.1 400 ", 13) == 0, "B5: %s: told so", rubbish[i].name);
		else
			tap_ok(k->hung && k->down.to == 7 && k->down.v[0] == 21 && k->down.v[6] == rubbish[i].alert,
			       "B5: %s: alert %d (%d)", rubbish[i].name, rubbish[i].alert, k->down.to == 7 ? k->down.v[6] : -1);
		hang(r, k);
	}
	k = dial(r, 0, 1);
	for (int i = 0; i < 200000; i++)
		memcpy(k->up.v + 5 * i, "\x16\x03\x01\x00\x00", 5);
	k->up.to = 1000000;
	turn(r);
	first = k->up.from;
	tap_ok(first > 0 && first < k->up.to, "however much comes, it has its share of a turn (%zu)", first);
	tls_work(r->t);
	tap_ok(k->up.from > first, "and goes on without being told again");
	tap_ok(!k->hung && cells(r) == 0, "B5: empty records are nothing");
	hang(r, k);
	k = opened(r, 0);
	client_say(k, pattern, 100);
	k->up.v[k->up.to - 1] ^= 1;
	settle(r, k);
	tap_ok(k->hung && client_error(k) == BR_ERR_RECV_FATAL_ALERT + 20 && k->got_n == 0,
	       "a changed record: bad_record_mac, encrypted (error %d)", client_error(k));
	hang(r, k);
	k = opened(r, 0);
	memcpy(k->up.v + k->up.to, "\x17\x03\x03\x41\x00", 5);
	k->up.to += 5;
	settle(r, k);
	tap_ok(k->hung && client_error(k) == BR_ERR_RECV_FATAL_ALERT + 22, "too long an encrypted record: record_overflow (error %d)",
	       client_error(k));
	hang(r, k);
}

static void test_ends(struct rig *r)
{
	struct link *k = opened(r, 0);

	k->echo = false;
	client_say(k, "bye", 3);
	br_ssl_engine_close(&k->client.eng);
	settle(r, k);
	tap_ok(k->got_n == 3 && k->ended && !k->hung && client_error(k) == 0, "close_notify: an end, answered");
	hang(r, k);

	k = opened(r, 0);
	client_say(k, "cut", 3);
	k->up.ended = true;
	settle(r, k);
	tap_ok(k->got_n == 3 && k->hung && !k->ended, "B5: FIN without close_notify: broken, after what came before");
	hang(r, k);

	k = opened(r, 0);
	client_say(k, pattern, 3000);
	k->takes = 100;
	settle(r, k);
	r->transport.shutdown(r->transport.ctx, k->handle);
	scribble(r);
	turn(r);
	tap_ok(!k->shut, "shutdown with output under way: not yet");
	k->takes = SIZE_MAX;
	settle(r, k);
	tap_ok(k->shut && k->said_n == 3000 && (br_ssl_engine_current_state(&k->client.eng) & BR_SSL_CLOSED) &&
	               client_error(k) == 0, "then all of it, close_notify, and the socket's end");
	k->up.ended = true;
	k->ended = false;
	turn(r);
	tap_ok(k->ended, "what the peer still sends is thrown away, and its end is told");
	hang(r, k);
}

static void test_reload(struct rig *r)
{
	struct link *a = opened(r, 0), *b = dial(r, 1, 1), *c;
	uint8_t before = r->t->set;

	start(b, "ec.example", false);
	client_go(b);
	turn(r); /* the hello was answered with the old set */
	fixture_write(r->files.paths[3], fixture_rsa_key);
	tls_reload(r->t);
	tap_ok(r->t->set == before && strstr(r->logged, "does not belong") != NULL, "B7: a key of another: the old pair stays, one line");
	fixture_write(r->files.paths[3], fixture_ec_key);
	fixture_write(r->files.paths[2], "-----BEGIN CERTIFICATE-----\nMIIB");
	tls_reload(r->t);
	tap_ok(r->t->set == before && strstr(r->logged, "not good PEM") != NULL, "B7: half a file: the same");
	unlink(r->files.paths[2]);
	tls_reload(r->t);
	tap_ok(r->t->set == before && strstr(r->logged, "No such file") != NULL, "no file: the same");
	fixture_write(r->files.paths[2], fixture_p384_crt);
	fixture_write(r->files.paths[3], fixture_p384_key);
	tls_reload(r->t);
	tap_ok(r->t->set != before && strstr(r->logged, "TLS certificates loaded") != NULL, "good ones are taken, one line");
	tls_reload(r->t);
	tap_ok(r->t->reload, "and again: waits for the handshake that has the first set");
	c = dial(r, 2, 1);
	start(c, "p384.example", false);
	settle(r, c);
	settle(r, b);
	client_say(a, "still", 5);
	settle(r, a);
	tap_ok(is_open(c) && is_open(b) && a->said_n == 5 && !r->t->reload,
	       "a new handshake gets the new, one under way the old, who is there notices nothing (%d %d %zu %d)",
	       client_error(c), client_error(b), a->said_n, r->t->reload);
	hang(r, a);
	hang(r, b);
	hang(r, c);
	fixture_write(r->files.paths[2], fixture_ec_crt);
	fixture_write(r->files.paths[3], fixture_ec_key);
	tls_reload(r->t);
}

/* BearSSL's LRU tree, and ours around it: what was saved is found, as long as it should be. */
static void test_cache(struct rig *r)
{
	struct link *k = opened(r, 0);
	br_ssl_server_context *server = &r->t->contexts[0];
	br_ssl_session_parameters p = { .session_id_len = 32, .version = BR_TLS12, .cipher_suite = 0xc02b };
	struct tls_cache *c = &r->t->cache;
	int bad = 0;

	for (uint32_t i = 0; i < 60000; i++) {
		memset(p.session_id, 0, sizeof(p.session_id));
		memcpy(p.session_id, &i, sizeof(i));
		memcpy(p.master_secret, &i, sizeof(i));
		c->vtable->save(&c->vtable, server, &p);
		if (i % 16 == 0) { /* one of the last 20,000 */
			uint32_t j = i - (i * 7919u) % (i < 20000 ? i + 1 : 20000), secret;

			memcpy(p.session_id, &j, sizeof(j));
			bad += !c->vtable->load(&c->vtable, server, &p);
			memcpy(&secret, p.master_secret, sizeof(secret));
			bad += secret != j;
		}
	}
	tap_ok(bad == 0, "60,000 sessions saved, the last 20,000 found (%d bad)", bad);
	tls_cache_age(c, mono_add_ms(c->turned, TLS_CACHE_TURN_MS));
	tap_ok(c->vtable->load(&c->vtable, server, &p), "an hour later a session is still found");
	tls_cache_age(c, mono_add_ms(c->turned, TLS_CACHE_TURN_MS));
	tap_ok(!c->vtable->load(&c->vtable, server, &p), "an hour after that it is not");
	hang(r, k);
}

static void test_forgotten(struct rig *r)
{
	struct link *k = opened(r, 0);
	uint32_t number = (uint32_t)(k->handle - TLS_HANDLE_BASE);
	static const br_ssl_server_context zero;

	hang(r, k);
	tap_ok(memcmp(&r->t->contexts[number], &zero, sizeof(zero)) == 0, "a closed session's context is wiped");
	k = dial(r, 0, 1);
	tap_ok(memcmp(&r->t->contexts[k->handle - TLS_HANDLE_BASE], &zero, sizeof(zero)) == 0,
	       "D1: who has sent nothing costs no context");
	tls_ready(r->t, number, r->t->generations[number] - 2, EPOLLIN);
	hang(r, k);
	tls_ready(r->t, number, r->t->generations[number] - 1, EPOLLIN);
	tap_ok(true, "O3: late events find nobody");
}

int main(void)
{
	static struct rig rig;

	setvbuf(stdout, NULL, _IOLBF, 0);

	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 2654435761u >> 13);
	rig_begin(&rig);
	test_choices(&rig);
	test_versions(&rig);
	test_splits(&rig);
	test_sizes(&rig);
	test_slow_reader(&rig);
	test_starved(&rig);
	test_partial(&rig);
	test_exhaustion(&rig);
	test_deadlines(&rig);
	test_alpn(&rig);
	test_renegotiation(&rig);
	test_stuck(&rig);
	test_rubbish(&rig);
	test_ends(&rig);
	test_reload(&rig);
	test_cache(&rig);
	test_forgotten(&rig);
	rig_end(&rig);
	return tap_done();
}

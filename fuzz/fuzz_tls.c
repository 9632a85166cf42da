/*
 * A client that sends what it likes. The first byte's lowest bit: bytes as they are, to a session that has seen nothing, so many
 * at a time as the other bits say; or, in records of any type, properly encrypted, to a session that is open: type, length,
 * payload, as often as there is input, over a socket that takes and gives as the other bits say. Nothing is left behind, whatever came.
 */
#pragma GCC diagnostic ignored "-Wunused-function"
#include "unit/tls_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void raw(struct rig *r, const uint8_t *data, size_t size, size_t step)
{
	struct link *k = dial(r, 0, 1);

	for (size_t n; size > 0; data += n, size -= n) {
		n = step == 0 || step > size ? size : step;
		memcpy(k->up.v + k->up.to, data, n);
		k->up.to += n;
		turn(r);
	}
	k->up.ended = true;
	turn(r);
	turn(r);
	hang(r, k);
}

/* How it goes besides: the socket takes little, gives little, the server has said its last, in any mixture. */
enum { TAKES_LITTLE = 1, GIVES_LITTLE = 2, ENDS = 4, TAKES_NOTHING = 8, READS_LITTLE = 16 };

static void hinder(struct rig *r, struct link *k, unsigned how)
{
	if (how & (TAKES_LITTLE | TAKES_NOTHING))
		k->takes = how & TAKES_NOTHING ? 0 : 9;
	if (how & GIVES_LITTLE)
		k->gives = 11;
	if (how & READS_LITTLE)
		k->room = 3;
	if (how & ENDS)
		r->transport.shutdown(r->transport.ctx, k->handle);
}

static void records(struct rig *r, const uint8_t *data, size_t size, unsigned how)
{
	struct link *k = dial(r, 0, 1);
	br_ssl_engine_context *e = &k->client.eng;

	start(k, "ec.example", true);
	settle(r, k);
	if (!is_open(k))
		abort();
	for (unsigned round = 0; size >= 2 && is_open(k) && !k->hung; round++) {
		size_t n = data[1] < size - 2 ? data[1] : size - 2, room;
		unsigned char *p = br_ssl_engine_sendapp_buf(e, &room);

		if (p == NULL || room < n)
			break;
		memcpy(p, data + 2, n);
		e->record_type_out = (unsigned char)(20 + (data[0] & 3));
		br_ssl_engine_sendapp_ack(e, n);
		br_ssl_engine_flush(e, 1);
		client_go(k);
		e->record_type_out = 23;
		if (round % 2 == 1)
			hinder(r, k, how);
		turn(r);
		client_go(k);
		turn(r);
		k->takes = k->gives = SIZE_MAX;
		data += 2 + n;
		size -= 2 + n;
	}
	turn(r);
	turn(r);
	if (how == 0 && !k->hung && !k->ended && cells(r) > 0)
		abort();
	hang(r, k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rig rig;

	if (rig.t == NULL) {
		rig_begin(&rig);
		fixture_end(&rig.files); /* they have been read, and nobody comes back to remove them */
	}
	if (size == 0 || size > 20000)
		return 0;
	if (data[0] & 1)
		records(&rig, data + 1, size - 1, data[0] >> 1);
	else
		raw(&rig, data + 1, size - 1, data[0] >> 1);
	if (pool_used(&rig.t->sessions) != 0 || cells(&rig) != 0 || rig.t->users[rig.t->set] != 0)
		abort();
	return 0;
}

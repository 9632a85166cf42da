#include "net/tls_engine.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(br_ssl_server_context) == 4128 || sizeof(void *) != 8,
              "another BearSSL than 0.6: read its engine again before this may hold");
static_assert(TLS_IN_BYTES == 16709 && TLS_OUT_BYTES == 16469, "one record each");

bool tls_engine_begin(br_ssl_server_context *server, const br_ssl_server_context *template, uint8_t *in,
                      uint8_t *out, const void *random, size_t random_bytes)
{
	br_ssl_engine_context *e = &server->eng;

	memcpy(server, template, sizeof(*server));
	/* Not br_ssl_engine_set_buffer(): with bidi it lets the buffers overlap. */
	br_ssl_engine_set_buffers_bidi(e, in, TLS_IN_BYTES, out, TLS_OUT_BYTES);
	br_ssl_engine_inject_entropy(e, random, random_bytes);
	/* Seeded: it need not try /dev/urandom, which an empty root does not have. */
	e->rng_os_rand_done = 1;
	if (br_ssl_server_reset(server) != 1)
		return false;
	/* Of alerts that are sent before a version is agreed on: BearSSL would say 0.0 to who is too old. */
	e->version_out = BR_TLS10;
	return true;
}

/*
 * BearSSL 0.6 notes a failed match as index 0xFFFF and looks at that only in a full handshake; a resumed one
 * goes on and copies the name number 0xFFFE to the peer (ssl_hs_server.t0, write-ServerHello): a read far
 * behind the array, at any client's wish. So the array is that long, and that name is ours too. The client,
 * who has not offered it, ends the handshake. Pages of it that are never read cost nothing.
 */
void tls_engine_protocols(br_ssl_engine_context *e, const char **names, const char *name)
{
	names[0] = names[TLS_PROTOCOL_NAMES - 1] = name;
	br_ssl_engine_set_protocol_names(e, names, 1);
}

struct tls_held tls_engine_held(const br_ssl_engine_context *e)
{
	if (br_ssl_engine_last_error(e) != 0 || e->iomode == 0)
		return (struct tls_held){ 0, 0, 0 };
	if (e->ixa != e->ixb)
		return (struct tls_held){ e->ixa, e->ixb, e->ixb };
	if (e->ixa < TLS_HEADER_BYTES)
		return (struct tls_held){ 0, e->ixa, TLS_HEADER_BYTES };
	return (struct tls_held){ TLS_HEADER_BYTES, e->ixa, e->ixa + e->ixc };
}

bool tls_engine_between_records(const br_ssl_engine_context *e)
{
	return e->ixa == 0 && e->ixb == 0 && e->ixc == TLS_HEADER_BYTES;
}

void tls_engine_use_in(br_ssl_engine_context *e, uint8_t *in)
{
	e->ibuf = in;
}

bool tls_engine_out_is_empty(const br_ssl_engine_context *e)
{
	return e->iomode == 0 || e->oxa == e->oxc;
}

static uint8_t alert_of(int error)
{
	switch (error) {
	case BR_ERR_BAD_MAC: return 20;      /* bad_record_mac */
	case BR_ERR_BAD_LENGTH:
	case BR_ERR_TOO_LARGE: return 22;    /* record_overflow */
	case BR_ERR_UNEXPECTED:
	case BR_ERR_BAD_CCS: return 10;      /* unexpected_message */
	case BR_ERR_BAD_FINISHED: return 51; /* decrypt_error */
	case BR_ERR_UNSUPPORTED_VERSION:
	case BR_ERR_BAD_VERSION: return 70;  /* protocol_version */
	case BR_ERR_INVALID_ALGORITHM: return 40; /* handshake_failure */
	default: return 50;                  /* decode_error */
	}
}

size_t tls_engine_alert(br_ssl_engine_context *e, uint8_t *out, uint8_t **at)
{
	enum { ALERT = 21, FATAL = 2 };
	int error = br_ssl_engine_last_error(e);
	size_t from = TLS_HEADER_BYTES, to = TLS_OUT_BYTES - TLS_HEADER_BYTES, bytes = 2;

	if (error <= 0 || error >= BR_ERR_RECV_FATAL_ALERT || e->out.vtable == NULL)
		return 0;
	/* As the engine's own make_ready_out() and sendpld_flush() do it. */
	e->out.vtable->max_plaintext(&e->out.vtable, &from, &to);
	out[from] = FATAL;
	out[from + 1] = alert_of(error);
	*at = e->out.vtable->encrypt(&e->out.vtable, ALERT, e->version_out, out + from, &bytes);
	return bytes;
}

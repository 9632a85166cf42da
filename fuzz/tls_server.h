/*
 * fuzz/tls_server.h: the server at the other end of a client's TLS: BearSSL's own, with the pairs of test/unit/tls_fixture.h, the same
 * bytes each time.
 */
#ifndef FUZZ_TLS_SERVER_H
#define FUZZ_TLS_SERVER_H

#include <bearssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/anchors.h"
#include "net/certificate.h"
#include "unit/tls_fixture.h"

#define CHECK(what) ((what) ? (void)0 : abort())

static struct anchors anchors;        /* that trust both pairs */
static struct certificate pairs[2];   /* ec.example, rsa.example */
static br_ssl_server_context server;

static void load(void)
{
	static uint8_t scratch[65536];
	int fd = memfd_create("ca", 0);
	char path[32];

	CHECK(fd >= 0 && snprintf(path, sizeof(path), "/proc/self/fd/%d", fd) > 0);
	CHECK(dprintf(fd, "%s%s", fixture_ec_crt, fixture_rsa_crt) > 0);
	CHECK(anchors_load(&anchors, str_of(path, strlen(path))) && anchors.n == 2);
	close(fd);
	CHECK(certificate_read_chain(&pairs[0], str_of(fixture_ec_crt, sizeof(fixture_ec_crt) - 1)) == NULL);
	CHECK(certificate_read_key(&pairs[0], str_of(fixture_ec_key, sizeof(fixture_ec_key) - 1), scratch, sizeof(scratch)) == NULL);
	CHECK(certificate_read_chain(&pairs[1], str_of(fixture_rsa_crt, sizeof(fixture_rsa_crt) - 1)) == NULL);
	CHECK(certificate_read_key(&pairs[1], str_of(fixture_rsa_key, sizeof(fixture_rsa_key) - 1), scratch, sizeof(scratch)) == NULL);
}

/* At `s`, with a buffer of BR_SSL_BUFSIZE_BIDI bytes of its own. */
static void server_begin_at(br_ssl_server_context *s, uint8_t *buffer, const struct certificate *c)
{
	if (anchors.n == 0)
		load();
	if (c->key_type == BR_KEYTYPE_EC)
		br_ssl_server_init_full_ec(s, c->chain, c->chain_count, BR_KEYTYPE_EC, &c->key.ec);
	else
		br_ssl_server_init_full_rsa(s, c->chain, c->chain_count, &c->key.rsa);
	br_ssl_engine_set_buffer(&s->eng, buffer, BR_SSL_BUFSIZE_BIDI, 1);
	br_ssl_engine_inject_entropy(&s->eng, "0123456789abcdef0123456789abcdef", 32);
	CHECK(br_ssl_server_reset(s) == 1);
}

__attribute__((unused)) static void server_begin(const struct certificate *c)
{
	static uint8_t buffer[BR_SSL_BUFSIZE_BIDI];

	server_begin_at(&server, buffer, c);
}

#endif

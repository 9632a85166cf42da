/*
 * net/anchors.h: whom outgoing TLS trusts: the certificates of a PEM bundle (`ca-file`), read once, at start.
 * No anchor is built in; without `ca-file` it is the machine's bundle (bundle.h).
 */
#ifndef NET_ANCHORS_H
#define NET_ANCHORS_H

#include <bearssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum {
	ANCHORS_FILE_BYTES_MAX = 4 << 20, /* the bundle of the Mozilla project has 220 KiB */
	ANCHORS_MAX = 1024,               /* and 150 certificates */
	ANCHORS_RSA_BYTES_MIN = 256,      /* 2048 bits, as of every certificate in a chain */
};

struct anchors {
	br_x509_trust_anchor *v;
	uint32_t n;
	uint32_t passed_over; /* keys of another kind or size than BearSSL verifies, or RSA under 2048 bits */
	void *mem;            /* mapped: of `v` and what it points to */
	size_t bytes;
};

/*
 * Reads the file. False: it cannot be read, holds a broken certificate or none of use; one line on standard
 * error said which, and *a is empty. Objects of other kinds in the file are passed over. Memory is mapped:
 * call this before serving.
 */
bool anchors_load(struct anchors *a, struct str path);

void anchors_free(struct anchors *a);

#endif

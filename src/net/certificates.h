/*
 * net/certificates.h: the pairs of `tls-cert` and `tls-key`, read from their files: at the start, by `check`,
 * and again at SIGHUP.
 */
#ifndef NET_CERTIFICATES_H
#define NET_CERTIFICATES_H

#include "net/certificate.h"
#include "server/config.h"

enum {
	CERTIFICATES_FILE_BYTES_MAX = 65536,
	CERTIFICATES_LINE_BYTES = 512,
};

struct certificates {
	struct certificate v[TLS_PAIRS_MAX];
	uint32_t count;
};

/* What load() has to say, NUL-terminated; "" when nothing. */
struct certificates_report {
	char error[CERTIFICATES_LINE_BYTES];   /* one line that names the option and the file */
	char warning[CERTIFICATES_LINE_BYTES]; /* one certificate that has expired, or is not valid yet */
};

/* True: some listener speaks TLS. */
bool certificates_wanted(const struct server_config *);

/* Reads all pairs. False: report->error says why, and *out is of no use. Blocks on files. */
bool certificates_load(struct certificates *out, const struct tls_config *, wall_t now,
                       struct certificates_report *);

/* Forgets keys. */
void certificates_wipe(struct certificates *);

#endif

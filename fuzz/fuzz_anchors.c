/*
 * fuzz/fuzz_anchors.c: the input as the file that ca-file names, by way of net/anchors and BearSSL's decoder. What is taken points into
 * the anchors' own memory and is a key that BearSSL can verify with; what is refused leaves nothing.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/anchors.h"

#define CHECK(what) ((what) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_inside(const struct anchors *a, const void *p, size_t n)
{
	const char *at = p, *mem = a->mem;

	CHECK(at >= mem && at + n <= mem + a->bytes);
}

static void check(const struct anchors *a)
{
	CHECK(a->n >= 1 && a->n <= ANCHORS_MAX);
	for (uint32_t i = 0; i < a->n; i++) {
		const br_x509_trust_anchor *ta = &a->v[i];

		check_inside(a, ta->dn.data, ta->dn.len);
		if (ta->pkey.key_type == BR_KEYTYPE_EC) {
			check_inside(a, ta->pkey.key.ec.q, ta->pkey.key.ec.qlen);
			continue;
		}
		CHECK(ta->pkey.key_type == BR_KEYTYPE_RSA && ta->pkey.key.rsa.nlen >= ANCHORS_RSA_BYTES_MIN && ta->pkey.key.rsa.elen > 0);
		check_inside(a, ta->pkey.key.rsa.n, ta->pkey.key.rsa.nlen);
		check_inside(a, ta->pkey.key.rsa.e, ta->pkey.key.rsa.elen);
		CHECK((ta->pkey.key.rsa.e[ta->pkey.key.rsa.elen - 1] & 1) == 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct anchors a = { .n = 0 };
	static char path[32];
	static int fd = -1;

	if (n == 0) {
		static char long_path[8192];

		memset(long_path, 'x', sizeof(long_path));
		CHECK(!anchors_load(&a, str_of(long_path, sizeof(long_path))) && !anchors_load(&a, STR("/nonexistent/ca.pem")));
		CHECK(!anchors_load(&a, STR("/")));
	}
	if (fd < 0) {
		fd = memfd_create("ca", 0);
		CHECK(fd >= 0 && snprintf(path, sizeof(path), "/proc/self/fd/%d", fd) > 0);
	}
	if (n == 0)
		CHECK(ftruncate(fd, ANCHORS_FILE_BYTES_MAX) == 0 && !anchors_load(&a, str_of(path, strlen(path))));
	CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, data, n, 0) == (ssize_t)n);
	if (anchors_load(&a, str_of(path, strlen(path))))
		check(&a);
	else
		CHECK(a.n == 0 && a.v == NULL);
	anchors_free(&a);
	return 0;
}

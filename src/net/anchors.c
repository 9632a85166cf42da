/*
 * See net/anchors.h. Invariant: what an anchor points to lies in one arena of as many bytes as the file has,
 * which is more than all its DER, of which names and keys are a part.
 */
#include "net/anchors.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/machine.h"
#include "wire/pem.h"

struct arena {
	uint8_t *p, *end;
	bool full;
};

static void append(void *ctx, const void *bytes, size_t n)
{
	struct arena *a = ctx;

	if (n > (size_t)(a->end - a->p)) {
		a->full = true;
		return;
	}
	memcpy(a->p, bytes, n);
	a->p += n;
}

static unsigned char *keep(struct arena *a, const void *bytes, size_t n)
{
	uint8_t *at = a->p;

	append(a, bytes, n);
	return at;
}

/* A key that a chain's certificate may have, too: BearSSL verifies up to 4096 bits, and with e = 1
 * everything. */
static bool is_rsa_of_use(const br_rsa_public_key *k)
{
	size_t n = k->nlen, e = k->elen;
	const unsigned char *p = k->n, *q = k->e;

	while (n > 0 && p[0] == 0)
		p++, n--;
	while (e > 0 && q[0] == 0)
		q++, e--;
	if (n < ANCHORS_RSA_BYTES_MIN || e == 0 || (k->e[k->elen - 1] & 1) == 0)
		return false;
	return e > 1 || q[0] > 1;
}

/* Copies the key into the arena; false: no kind of use. */
static bool keep_key(struct arena *arena, br_x509_trust_anchor *ta, const br_x509_pkey *key)
{
	ta->pkey.key_type = key->key_type;
	if (key->key_type == BR_KEYTYPE_EC) {
		ta->pkey.key.ec.curve = key->key.ec.curve;
		ta->pkey.key.ec.q = keep(arena, key->key.ec.q, key->key.ec.qlen);
		ta->pkey.key.ec.qlen = key->key.ec.qlen;
		return true;
	}
	assert(key->key_type == BR_KEYTYPE_RSA);
	if (!is_rsa_of_use(&key->key.rsa))
		return false;
	ta->pkey.key.rsa.n = keep(arena, key->key.rsa.n, key->key.rsa.nlen);
	ta->pkey.key.rsa.nlen = key->key.rsa.nlen;
	ta->pkey.key.rsa.e = keep(arena, key->key.rsa.e, key->key.rsa.elen);
	ta->pkey.key.rsa.elen = key->key.rsa.elen;
	return true;
}

/* True unless the certificate is broken. */
static bool add(struct anchors *a, struct arena *arena, const uint8_t *der, size_t n)
{
	br_x509_trust_anchor *ta = &a->v[a->n];
	uint8_t *before = arena->p;
	br_x509_decoder_context dc;
	const br_x509_pkey *key;
	int error;

	br_x509_decoder_init(&dc, append, arena);
	br_x509_decoder_push(&dc, der, n);
	error = br_x509_decoder_last_error(&dc);
	*ta = (br_x509_trust_anchor){ .dn = { before, (size_t)(arena->p - before) } };
	ta->flags = br_x509_decoder_isCA(&dc) ? BR_X509_TA_CA : 0;
	key = error == 0 ? br_x509_decoder_get_pkey(&dc) : NULL;
	if (key != NULL && keep_key(arena, ta, key)) {
		a->n++;
		return true;
	}
	arena->p = before;
	a->passed_over++;
	return key != NULL || error == BR_ERR_X509_UNSUPPORTED || error == BR_ERR_X509_LIMIT_EXCEEDED ||
	       error == BR_ERR_X509_WRONG_KEY_TYPE;
}

/* NULL, or what is wrong. `der` has room for any object of the text. */
static const char *read_all(struct anchors *a, struct str text, uint8_t *der, struct arena *arena)
{
	struct pem pem = { .rest = text };
	enum pem_result result;

	while ((result = pem_next(&pem, der, text.n)) == PEM_OBJECT) {
		if (!str_eq(pem.name, STR("CERTIFICATE")) && !str_eq(pem.name, STR("X509 CERTIFICATE")))
			continue;
		if (a->n == ANCHORS_MAX)
			return "more than 1024 certificates";
		if (!add(a, arena, der, pem.bytes))
			return "a broken certificate";
	}
	if (result != PEM_END)
		return "not PEM (RFC 7468)";
	assert(!arena->full);
	return a->n == 0 ? "no certificate that can be used" : NULL;
}

static bool refuse(struct str path, const char *why, int error)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "ca-file %.*s%s%s", (int)path.n, path.p,
	                 why == NULL ? "" : ": ", why == NULL ? "" : why);

	machine_complain(str_of(line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1), error);
	return false;
}

/* Reads at most `cap` bytes; an errno value. */
static int read_file(int fd, char *out, size_t cap, size_t *n)
{
	ssize_t got = 1;

	*n = 0;
	while (*n < cap && got != 0) {
		got = read(fd, out + *n, cap - *n);
		if (got < 0 && errno != EINTR)
			return errno;
		*n += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

static bool load(struct anchors *a, struct str path, int fd, size_t cap)
{
	size_t table = sizeof(a->v[0]) * ANCHORS_MAX, n;
	char *text = machine_memory(2 * cap); /* the text, and an object of it */
	const char *why = NULL;
	struct arena arena;
	int error = ENOMEM;

	a->bytes = table + cap;
	a->mem = machine_memory(a->bytes);
	if (text != NULL && a->mem != NULL)
		error = read_file(fd, text, cap, &n);
	if (error == 0 && n == cap)
		error = EFBIG;
	if (error == 0) {
		a->v = a->mem;
		arena = (struct arena){ (uint8_t *)a->mem + table, (uint8_t *)a->mem + a->bytes, false };
		why = read_all(a, str_of(text, n), (uint8_t *)text + cap, &arena);
	}
	if (text != NULL)
		machine_memory_free(text, 2 * cap);
	if (error == 0 && why == NULL)
		return true;
	anchors_free(a);
	return refuse(path, why, error);
}

bool anchors_load(struct anchors *a, struct str path)
{
	char name[PATH_MAX];
	struct stat st;
	bool good;
	int fd;

	*a = (struct anchors){ .n = 0 };
	if (path.n >= sizeof(name))
		return refuse(path, NULL, ENAMETOOLONG);
	memcpy(name, path.p, path.n);
	name[path.n] = '\0';
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		good = refuse(path, NULL, errno);
	} else if (st.st_size >= ANCHORS_FILE_BYTES_MAX) {
		good = refuse(path, NULL, EFBIG);
	} else {
		/* One byte more shows that it grew; a pipe tells no size. */
		bool has_size = S_ISREG(st.st_mode);

		good = load(a, path, fd, has_size ? (size_t)st.st_size + 1 : ANCHORS_FILE_BYTES_MAX);
	}
	if (fd >= 0)
		close(fd);
	return good;
}

void anchors_free(struct anchors *a)
{
	if (a->mem != NULL)
		machine_memory_free(a->mem, a->bytes);
	*a = (struct anchors){ .n = 0 };
}

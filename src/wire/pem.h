/*
 * wire/pem.h: textual encodings of keys and certificates (RFC 7468): what stands between the BEGIN and END
 * lines.
 */
#ifndef WIRE_PEM_H
#define WIRE_PEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum { PEM_LABEL_BYTES_MAX = 64 };

enum pem_result {
	PEM_OBJECT,   /* one more object: label and DER bytes are filled */
	PEM_END,      /* no further object: what is left is text around them */
	PEM_BAD,      /* an object that is not base64, or whose END line is missing or another's */
	PEM_TOO_LONG, /* an object that does not fit */
};

/* A walk over the objects of a text; begins with .rest = the text. */
struct pem {
	struct str rest;                    /* borrowed */
	char label[PEM_LABEL_BYTES_MAX];    /* "CERTIFICATE", "EC PRIVATE KEY" */
	struct str name;                    /* of it; points into `label` */
	size_t bytes;                       /* of the object */
};

/*
 * Reads the next object: its label to p->name, its DER bytes to out[0, cap), their number (1 or more) to
 * p->bytes. Boundaries begin in the first column, in capitals, and BEGIN and END say the same label. A
 * missing newline at the end of the text, CR LF line ends, blanks at line ends and any length of lines are
 * taken; headers of encrypted objects (`Proc-Type`) are not. Work depends on lengths only, not on what the
 * bytes are: private keys may pass. After PEM_BAD and PEM_TOO_LONG, `out` holds nothing of use and the walk
 * is over: the next call says PEM_END.
 */
enum pem_result pem_next(struct pem *p, uint8_t *out, size_t cap);

#endif

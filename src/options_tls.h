/* options_tls.h: what TLS asks of the options together: pairs of files, and listeners that use them. */
#ifndef OPTIONS_TLS_H
#define OPTIONS_TLS_H

#include "options.h"

/*
 * Once all options are read: fills config.tls. False, and o->error set: a `,tls` listener without a
 * certificate, certificates and keys that are no pairs, or a file of them that cannot be read. What is in the
 * files is read by who uses it, at start and at SIGHUP. Call options_tls_trust() before.
 */
bool options_tls_finish(struct options *o, const struct options_world *world);

/*
 * The service that row `row` names, `what` ("an https URL"), is asked over TLS, and has to be known by
 * somebody: without ca-file config.tls.ca becomes the machine's bundle, derived from that row. False, and
 * o->error set: there is none, or none that can be read.
 */
bool options_tls_trust(struct options *o, const struct options_world *world, uint32_t row, const char *what);

#endif

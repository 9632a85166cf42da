/*
 * options_auth.h: what the options of tokens, Keycloak and services asked over HTTP come to: which `auth`
 * holds, the keys, the URLs, and what is demanded of a token.
 */
#ifndef OPTIONS_AUTH_H
#define OPTIONS_AUTH_H

#include "options.h"

/*
 * Once all options are read: fills config.auth, config.token and config.user_check_url. False, and o->error
 * set: what is given does not suffice to verify a token, a file of keys is none, or an https URL is to be
 * asked and nobody says whom to trust. Secrets stay nowhere but in config.token.keys.
 */
bool options_auth_finish(struct options *o, const struct options_world *world);

#endif

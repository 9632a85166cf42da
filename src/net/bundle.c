/* See net/bundle.h. */
#include "net/bundle.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

const char *bundle_find(void)
{
	static const char *const places[] = { BUNDLE_PLACE_1, BUNDLE_PLACE_2, BUNDLE_PLACE_3 };
	const char *named = getenv("SSL_CERT_FILE");

	if (named != NULL && named[0] != '\0')
		return named;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}

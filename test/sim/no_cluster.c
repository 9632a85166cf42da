/*
 * Stands in for cluster/cluster.c until that is there: a node that hears nobody.
 */
#include "cluster/cluster.h"

#define STANDIN __attribute__((weak))

STANDIN struct cluster *cluster_new(const struct cluster_config *cfg, struct region *r, const struct bus *bus, struct now now)
{
	(void)cfg, (void)bus, (void)now;
	return region_take(r, 64, 64);
}

STANDIN struct peers cluster_peers(struct cluster *c)
{
	return (struct peers){ .link = { .ctx = c } };
}

STANDIN void cluster_serve(struct cluster *c, struct server *s)
{
	(void)c, (void)s;
}

STANDIN void cluster_turn(struct cluster *c, struct now now)
{
	(void)c, (void)now;
}

STANDIN mono_t cluster_deadline(const struct cluster *c)
{
	(void)c;
	return MONO_NEVER;
}

STANDIN void cluster_up(struct cluster *c, struct now now)
{
	(void)c, (void)now;
}

STANDIN void cluster_down(struct cluster *c, struct now now)
{
	(void)c, (void)now;
}

STANDIN void cluster_heard(struct cluster *c, struct str channel, char *payload, size_t bytes, struct now now)
{
	(void)c, (void)channel, (void)payload, (void)bytes, (void)now;
}

STANDIN void cluster_renewed(struct cluster *c, bool was_there, struct now now)
{
	(void)c, (void)was_there, (void)now;
}

STANDIN void cluster_refused(struct cluster *c, struct str code, struct now now)
{
	(void)c, (void)code, (void)now;
}

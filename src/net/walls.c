/*
 * Invariants: rights of a thread are given up before there is another thread; the list of calls, which is
 * last, is for all of them. Nothing but becoming `user` is a reason not to start.
 */
#include "net/walls.h"

#include <assert.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/certificates.h"
#include "net/machine.h"
#include "net/resolver.h"
#include "net/seccomp.h"

enum { DNS_PORT = 53, CAPABILITIES_MAX = 64 };

/* --- what there will be to do --- */

static bool is_name(struct str host)
{
	struct resolver_address a;

	return !resolver_is_literal(host, &a);
}

static uint32_t needs_of_url(const struct url *url)
{
	return SECCOMP_INET | (url->tls ? SECCOMP_RANDOM : 0u) | (is_name(url->host) ? SECCOMP_RESOLVE : 0u);
}

static uint32_t needs_of_redis(const struct redis_url *url)
{
	uint32_t needs = url->tls ? SECCOMP_RANDOM : 0;

	if (url->kind == REDIS_URL_UNIX)
		return needs | SECCOMP_LOCAL;
	/* A Sentinel can be made to say names. */
	if (url->kind == REDIS_URL_SENTINEL || is_name(url->hosts[0].name))
		needs |= SECCOMP_RESOLVE;
	return needs | SECCOMP_INET | SECCOMP_REDIS;
}

static uint32_t needs_of(const struct server_config *cfg)
{
	uint32_t needs = SECCOMP_LOOP;

	if (certificates_wanted(cfg))
		needs |= SECCOMP_RANDOM | SECCOMP_RELOAD;
	for (uint32_t i = 0; i < cfg->listener_count; i++)
		needs |= cfg->listeners[i].is_unix ? SECCOMP_UNLINK : 0u;
	if (cfg->token.has_jwks_url)
		needs |= needs_of_url(&cfg->token.jwks_url);
	if (cfg->has_user_check)
		needs |= needs_of_url(&cfg->user_check_url);
	if (cfg->clustered)
		needs |= needs_of_redis(&cfg->redis);
	return needs;
}

/* --- files and ports --- */

static void allow_files(struct landlock *l, const struct server_config *cfg, uint32_t needs)
{
	for (uint32_t i = 0; (needs & SECCOMP_RELOAD) && i < cfg->tls.pair_count; i++) {
		landlock_allow_file(l, cfg->tls.pairs[i].cert);
		landlock_allow_file(l, cfg->tls.pairs[i].key);
	}
	for (uint32_t i = 0; i < cfg->listener_count; i++)
		if (cfg->listeners[i].is_unix)
			landlock_allow_removal(l, cfg->listeners[i].address);
	if (needs & SECCOMP_RESOLVE) {
		landlock_allow_file(l, STR("/etc/resolv.conf"));
		landlock_allow_file(l, STR("/etc/hosts"));
	}
}

static void allow_ports(struct landlock *l, const struct server_config *cfg, uint32_t needs)
{
	if (cfg->token.has_jwks_url)
		landlock_allow_port(l, cfg->token.jwks_url.port);
	if (cfg->has_user_check)
		landlock_allow_port(l, cfg->user_check_url.port);
	if (cfg->clustered && cfg->redis.kind == REDIS_URL_TCP)
		landlock_allow_port(l, cfg->redis.hosts[0].port);
	if (needs & SECCOMP_RESOLVE)
		landlock_allow_port(l, DNS_PORT); /* an answer that UDP is too small for */
}

/* Sentinels say the port of the master. */
static bool may_go_anywhere(const struct server_config *cfg)
{
	return cfg->clustered && cfg->redis.kind == REDIS_URL_SENTINEL;
}

static void draw_fence(struct walls *w, landlock_seen *seen)
{
	landlock_open(&w->landlock, seen, may_go_anywhere(w->cfg));
	allow_files(&w->landlock, w->cfg, w->needs);
	allow_ports(&w->landlock, w->cfg, w->needs);
}

/* --- rights --- */

void walls_keep_memory_private(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

/* Takes from what this process and those that it would start could ever regain; only who has CAP_SETPCAP
 * may, and is asked to before it becomes another. */
static void bound_capabilities(void)
{
	for (unsigned long i = 0; i < CAPABILITIES_MAX; i++)
		prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

/* True: there are none left; whoever has none need not be let give any up. */
static bool drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { { 0, 0, 0 }, { 0, 0, 0 } };

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, sets) == 0 ||
	       (syscall(SYS_capget, &header, sets) == 0 && (sets[0].permitted | sets[1].permitted) == 0);
}

bool walls_raise(struct walls *w, const struct server_config *cfg, const struct walls_config *wish)
{
	*w = (struct walls){ .cfg = cfg, .wish = wish, .needs = needs_of(cfg) };
	if (wish->sandbox) {
		draw_fence(w, NULL); /* with the rights that the files were found with */
		bound_capabilities();
	}
	if (!machine_become(wish->user))
		return false;
	walls_keep_memory_private(); /* becoming another undoes a part of it */
	if (!wish->sandbox)
		return true;
	w->incapable = drop_capabilities();
	w->bounded = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
	w->fenced = landlock_close(&w->landlock, w->bounded);
	return true;
}

void walls_close(struct walls *w)
{
	assert(!w->closed);
	if (w->bounded)
		w->closed = seccomp_enter(w->needs);
}

/* --- what is said of it --- */

void walls_foresee(struct walls *w, const struct server_config *cfg, const struct walls_config *wish,
                   landlock_seen *seen)
{
	*w = (struct walls){ .cfg = cfg, .wish = wish, .needs = needs_of(cfg) };
	draw_fence(w, seen);
	w->bounded = w->incapable = wish->sandbox;
	w->closed = wish->sandbox && seccomp_count(w->needs) > 0;
	w->fenced = wish->sandbox && w->landlock.abi > 0;
}

bool walls_gap(const struct walls *w)
{
	return w->wish->sandbox && !(w->bounded && w->incapable && w->closed && w->fenced);
}

void walls_text(const struct walls *w, char out[WALLS_TEXT_BYTES])
{
	char calls[32] = "seccomp(none)", files[48] = "landlock(none)";
	uint32_t paths = w->landlock.place_count;

	if (!w->wish->sandbox) {
		snprintf(out, WALLS_TEXT_BYTES, "none (sandbox=off)");
		return;
	}
	if (w->closed)
		snprintf(calls, sizeof(calls), "seccomp(%u calls)", (unsigned)seccomp_count(w->needs));
	if (w->fenced)
		snprintf(files, sizeof(files), "landlock(abi %d, %u path%s)", w->landlock.abi,
		         (unsigned)paths, paths == 1 ? "" : "s");
	snprintf(out, WALLS_TEXT_BYTES, "%s %s %s %s", w->bounded ? "no_new_privs" : "new_privs",
	         w->incapable ? "no_capabilities" : "capabilities", calls, files);
}

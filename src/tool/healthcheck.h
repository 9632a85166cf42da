/* tool/healthcheck.h: `presenced healthcheck`: asks a running server whether it is ready. */
#ifndef TOOL_HEALTHCHECK_H
#define TOOL_HEALTHCHECK_H

/*
 * Blocks for 5 seconds at most. `arguments`, up to NULL: [URL] [--ca-file FILE] [--config FILE]. The URL is
 * http://HOST[:PORT][/PATH], the same with https://, or unix:PATH; without one it is a listener, the first
 * without TLS if there is one, of those that PRESENCED_LISTEN in `env` names; else the port of SERVICE_PORT
 * on 127.0.0.1; else one of the configuration file's, of --config or PRESENCED_CONFIG; else port 8080 there.
 * Over TLS the certificate is looked at only with --ca-file: a listener on this machine
 * bears the name that its clients know, not localhost, and is told no secret. The exit code: 0 when the
 * answer is 200; 1 after one line on standard error when it is not; 2 after one line about the arguments.
 */
int healthcheck_run(char *const *arguments, char *const *env);

#endif

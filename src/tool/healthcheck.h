/* tool/healthcheck.h: `presenced healthcheck`: asks a running server whether it is ready. */
#ifndef TOOL_HEALTHCHECK_H
#define TOOL_HEALTHCHECK_H

/*
 * Blocks for 5 seconds at most. `url`: http://ADDRESS[:PORT][/PATH] or unix:PATH; NULL: the first listener
 * that PRESENCED_LISTEN or SERVICE_PORT in `env` names, else http://127.0.0.1:8080. The exit code: 0 when it
 * answers 200; 1 after one line on standard error when it does not; 2 after one line when `url` is none.
 */
int healthcheck_run(const char *url, char *const *env);

#endif

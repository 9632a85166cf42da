/*
 * test/bench/script.h: what a client says, per dialect: the upgrade request, how it joins a room, the event that fans
 * out, a question with one answer. The words are those of the seed documents. `floor` talks to floor.c: its event is one
 * raw byte.
 */
#ifndef BENCH_SCRIPT_H
#define BENCH_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCRIPT_BYTES_MAX = 2048, SCRIPT_PAD_BYTES_MAX = 120 };

struct script_form;

struct script {
	const struct script_form *form;
	char pad[SCRIPT_PAD_BYTES_MAX + 1]; /* makes room ids (or the status text) long: events of the wished size */
	uint32_t users;                     /* identities wrap here */
	uint32_t rooms;                     /* identity i is in room i % rooms */
	char *const *tokens;                /* identity i presents tokens[i]; NULL: nobody presents any. Borrowed */
	uint32_t token_count;
};

/* False: no such dialect. `event_bytes` is the wished payload of a delivered event; what a server adds may differ. */
bool script_init(struct script *s, const char *dialect, uint32_t event_bytes, uint32_t users, uint32_t rooms);

/* The lines of a file, for as long as the process lives; NULL: none. */
char **script_read_tokens(const char *path, uint32_t *count);

/* A request that costs the server the look at a token and nothing else: the state of nobody. Not without tokens. */
size_t script_look(const struct script *s, uint32_t identity, const char *host, char *out, size_t cap);

/* Each writes at most `cap` bytes and returns how many; 0: the dialect has no such thing. Frames are masked. */
size_t script_request(const struct script *s, uint32_t identity, const char *host, char *out, size_t cap);
size_t script_join(const struct script *s, uint32_t identity, uint8_t *out, size_t cap);
size_t script_event(const struct script *s, uint32_t identity, unsigned variant, uint8_t *out, size_t cap); /* 0, 1 */
size_t script_ask(const struct script *s, uint8_t *out, size_t cap);

/* What a frame's text must hold to count. "" counts every text or binary frame; NULL from joined: nothing to wait for. */
const char *script_joined(const struct script *s);
const char *script_event_marker(const struct script *s);
const char *script_answer_marker(const struct script *s);

#endif

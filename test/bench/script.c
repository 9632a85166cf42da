/*
 * A form is text with $U (the user's id), $R (the room's id, padded) and $P (the padding alone). The key is RFC 6455's own
 * example, so that its answer is a constant and the generator needs no SHA-1.
 */
#include "script.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct script_form {
	const char *name;
	const char *path;
	const char *header;    /* further request header lines, or "" */
	const char *join;      /* NULL: none */
	const char *joined;    /* NULL: ready once upgraded */
	const char *event[2];  /* taken in turn, since a state set twice is no event */
	const char *delivered; /* the shape that arrives, to size the padding by */
	const char *marker;
	const char *ask, *answer;
	bool raw;              /* unmasked, and the event is not a frame at all */
};

#define ECHO_TEXT "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyzAB"

#define SNAKE_STATUS(which) \
	"{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"online\"," \
	"\"custom_status\":\"ev-" which "$P\"}}"

static const struct script_form forms[] = {
	{
		.name = "rooms", .path = "/ws?user_id=$U&dialect=rooms", .header = "",
		.join = "{\"type\":\"subscribe\",\"channel_id\":\"$R\"}", .joined = "\"subscribed\"",
		.event = { "{\"type\":\"typing\",\"channel_id\":\"$R\"}", "{\"type\":\"typing\",\"channel_id\":\"$R\"}" },
		.delivered = "{\"type\":\"typing\",\"channel_id\":\"$R\",\"dm_id\":null,"
		             "\"user_id\":\"$U\",\"username\":\"$U\"}",
		.marker = "\"typing\"", .ask = "{\"type\":\"ping\"}", .answer = "\"pong\"",
	},
	{
		.name = "dotted", .path = "/ws?user_id=$U&dialect=dotted", .header = "",
		.join = "{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{\"topics\":[\"typing\"],"
		        "\"filters\":{\"conversation_id\":\"$R\"}}}",
		.joined = "\"subscribed\"",
		.event = { "{\"type\":\"typing.start\",\"payload\":{\"conversation_id\":\"$R\"}}",
		           "{\"type\":\"typing.stop\",\"payload\":{\"conversation_id\":\"$R\"}}" },
		.delivered = "{\"type\":\"typing.start\",\"payload\":{\"conversation_id\":\"$R\",\"user_id\":\"$U\"},"
		             "\"timestamp\":\"2026-01-14T12:00:00.123Z\"}",
		.marker = "\"typing.st", .ask = "{\"id\":\"2\",\"type\":\"ping\"}", .answer = "\"pong\"",
	},
	{
		/* Everybody hears of everybody: N connections cost N * N deliveries before the first event. */
		.name = "snake", .path = "/ws", .header = "X-User-ID: $U\r\n",
		.join = NULL, .joined = "\"connection_ack\"",
		.event = { SNAKE_STATUS("a"),
		           SNAKE_STATUS("b") },
		.delivered = "{\"type\":\"presence_update\",\"payload\":{\"user_id\":\"$U\",\"online_status\":\"online\","
		             "\"custom_status\":\"ev-a$P\",\"metadata\":null,\"last_seen\":\"2026-01-14T12:00:00.123Z\","
		             "\"device_count\":1},\"timestamp\":\"2026-01-14T12:00:00.123Z\"}",
		.marker = "\"ev-", .ask = "{\"type\":\"ping\"}", .answer = "\"pong\"",
	},
	{
		.name = "echo", .path = "/", .header = "", .event = { ECHO_TEXT, ECHO_TEXT }, .delivered = ECHO_TEXT,
		.marker = "", .ask = ECHO_TEXT, .answer = "",
	},
	/* Of relay.c: one changes its status and hears nobody's, one hears everybody's; both are in a room. */
	{
		.name = "changer", .path = "/ws?user_id=$U&dialect=dotted", .header = "",
		.join = "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"typing\"],"
		        "\"filters\":{\"conversation_id\":\"$R\"}}}",
		.joined = "\"subscribed\"",
		.event = { "{\"type\":\"presence.update\",\"payload\":{\"status\":\"online\"}}",
		           "{\"type\":\"presence.update\",\"payload\":{\"status\":\"busy\"}}" },
		.delivered = "", .marker = "", .ask = "{\"type\":\"ping\"}", .answer = "\"pong\"",
	},
	{
		.name = "watcher", .path = "/ws?user_id=$U&dialect=rooms", .header = "",
		.join = "{\"type\":\"subscribe\",\"channel_id\":\"$R\"}", .joined = "\"subscribed\"",
		.delivered = "", .marker = "\"type\":\"presence\"", .ask = "{\"type\":\"ping\"}", .answer = "\"pong\"",
	},
	/* Of test/scorecard: one changes its status, and this hears of it. */
	{
		.name = "follower", .path = "/ws?user_id=$U&dialect=dotted", .header = "",
		.join = "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"presence\"],"
		        "\"filters\":{\"user_ids\":[\"user-0000000\"]}}}",
		.joined = "\"subscribed\"",
		.event = { "{\"type\":\"presence.update\",\"payload\":{\"status\":\"busy\",\"custom_status\":\"ev-a$P\"}}",
		           "{\"type\":\"presence.update\",\"payload\":{\"status\":\"busy\",\"custom_status\":\"ev-b$P\"}}" },
		.delivered = "{\"type\":\"presence.update\",\"payload\":{\"user_id\":\"$U\",\"status\":\"busy\","
		             "\"custom_status\":\"ev-a$P\",\"metadata\":null,\"last_seen\":\"2026-01-14T12:00:00.123Z\","
		             "\"device_count\":1},\"timestamp\":\"2026-01-14T12:00:00.123Z\"}",
		.marker = "\"ev-", .ask = "{\"type\":\"ping\"}", .answer = "\"pong\"",
	},
	{
		.name = "floor", .path = "/", .header = "", .event = { "!", "!" }, .delivered = "",
		.marker = "", .ask = ECHO_TEXT, .answer = "", .raw = true,
	},
};

/* Copies `form` with $U, $R and $P replaced; asserts that it fits: every form and id here is our own. */
static size_t expand(const struct script *s, const char *form, uint32_t identity, char *out, size_t cap)
{
	char part[SCRIPT_PAD_BYTES_MAX + 32];
	size_t used = 0;
	size_t n;

	for (; *form != '\0'; form++) {
		part[0] = *form;
		part[1] = '\0';
		if (*form == '$') {
			form++;
			if (*form == 'U')
				(void)snprintf(part, sizeof(part), "user-%07u", identity % s->users);
			else if (*form == 'R')
				(void)snprintf(part, sizeof(part), "r%u%s", identity % s->rooms, s->pad);
			else
				(void)snprintf(part, sizeof(part), "%s", s->pad);
		}
		n = strlen(part);
		assert(used + n < cap);
		memcpy(out + used, part, n);
		used += n;
	}
	return used;
}

bool script_init(struct script *s, const char *dialect, uint32_t event_bytes, uint32_t users, uint32_t rooms)
{
	char text[SCRIPT_BYTES_MAX];
	size_t bare;
	size_t pad;
	size_t i;

	assert(users > 0 && rooms > 0);
	memset(s, 0, sizeof(*s));
	s->users = users;
	s->rooms = rooms;
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (strcmp(forms[i].name, dialect) == 0)
			s->form = &forms[i];
	if (s->form == NULL)
		return false;
	bare = expand(s, s->form->delivered, 0, text, sizeof(text));
	pad = event_bytes > bare ? event_bytes - bare : 0;
	if (pad > SCRIPT_PAD_BYTES_MAX)
		pad = SCRIPT_PAD_BYTES_MAX;
	memset(s->pad, '-', pad);
	return true;
}

char **script_read_tokens(const char *path, uint32_t *count)
{
	FILE *f = fopen(path, "r");
	char line[SCRIPT_BYTES_MAX / 2];
	char **tokens = NULL;

	*count = 0;
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		char **more = realloc(tokens, (*count + 1) * sizeof(*more));

		line[strcspn(line, "\n")] = '\0';
		if (more == NULL)
			break;
		tokens = more;
		tokens[(*count)++] = strdup(line);
	}
	if (f != NULL)
		(void)fclose(f);
	return tokens;
}

static void bearer(const struct script *s, uint32_t identity, char *out, size_t cap)
{
	int n = 0;

	*out = '\0';
	if (s->token_count > 0)
		n = snprintf(out, cap, "Authorization: Bearer %s\r\n", s->tokens[identity % s->token_count]);
	assert(n >= 0 && (size_t)n < cap);
}

size_t script_look(const struct script *s, uint32_t identity, const char *host, char *out, size_t cap)
{
	char token[SCRIPT_BYTES_MAX / 2];
	int n;

	assert(s->token_count > 0);
	bearer(s, identity, token, sizeof(token));
	n = snprintf(out, cap, "GET /nobody HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", host, token);
	assert(n > 0 && (size_t)n < cap);
	return (size_t)n;
}

size_t script_request(const struct script *s, uint32_t identity, const char *host, char *out, size_t cap)
{
	char path[SCRIPT_BYTES_MAX / 4];
	char header[SCRIPT_BYTES_MAX / 4];
	char token[SCRIPT_BYTES_MAX / 2];
	int n;

	path[expand(s, s->form->path, identity, path, sizeof(path))] = '\0';
	header[expand(s, s->form->header, identity, header, sizeof(header))] = '\0';
	bearer(s, identity, token, sizeof(token));
	n = snprintf(out, cap,
	             "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s\r\n",
	             path, host, header, token);
	assert(n > 0 && (size_t)n < cap);
	return (size_t)n;
}

/* One text frame; masked unless raw, with a key that has no zero byte so that the server must really unmask. */
static size_t frame(const char *text, size_t n, bool raw, uint8_t *out, size_t cap)
{
	static const uint8_t key[4] = { 0x37, 0xfa, 0x21, 0x3d };
	size_t used = 0;
	size_t i;

	assert(n < 65536 && n + 8 <= cap);
	out[used++] = 0x81;
	if (n < 126) {
		out[used++] = (uint8_t)((raw ? 0 : 0x80) | n);
	} else {
		out[used++] = raw ? 126 : 0x80 | 126;
		out[used++] = (uint8_t)(n >> 8);
		out[used++] = (uint8_t)n;
	}
	if (!raw) {
		memcpy(out + used, key, sizeof(key));
		used += sizeof(key);
	}
	for (i = 0; i < n; i++)
		out[used + i] = (uint8_t)((uint8_t)text[i] ^ (raw ? 0 : key[i & 3]));
	return used + n;
}

static size_t say(const struct script *s, const char *form, uint32_t identity, uint8_t *out, size_t cap)
{
	char text[SCRIPT_BYTES_MAX];

	if (form == NULL)
		return 0;
	return frame(text, expand(s, form, identity, text, sizeof(text)), s->form->raw, out, cap);
}

size_t script_join(const struct script *s, uint32_t identity, uint8_t *out, size_t cap)
{
	return say(s, s->form->join, identity, out, cap);
}

size_t script_event(const struct script *s, uint32_t identity, unsigned variant, uint8_t *out, size_t cap)
{
	assert(variant < 2);
	if (!s->form->raw)
		return say(s, s->form->event[variant], identity, out, cap);
	out[0] = '!';
	return 1;
}

size_t script_ask(const struct script *s, uint8_t *out, size_t cap)
{
	return say(s, s->form->ask, 0, out, cap);
}

const char *script_joined(const struct script *s)
{
	return s->form->joined;
}

const char *script_event_marker(const struct script *s)
{
	return s->form->marker;
}

const char *script_answer_marker(const struct script *s)
{
	return s->form->answer;
}

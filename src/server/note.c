/*
 * The wording and the fields are those of seed 003's log.
 * `conn` is whose doing the engine is working on (state.h, acting); a timer's notes have none.
 */
#include "server/note.h"

#include "server/session.h"
#include "server/state.h"

void note_close(void *ctx, uint32_t conn, enum engine_close why)
{
	struct server *s = ctx;
	struct conn *c = conn_at(s, conn);

	if (why == ENGINE_CLOSE_REPLACED)
		session_close(s, c, SESSION_CLOSE_REPLACED, STR("replaced by a newer connection"),
		              REFUSED_REPLACED);
	else if (why == ENGINE_CLOSE_KICKED)
		session_close(s, c, SESSION_CLOSE_KICKED, STR("closed by an operator"), REFUSED_KICKED);
	else
		session_close(s, c, SESSION_CLOSE_SILENT, STR("stale"), REFUSED_STALE);
}

static void note_log(struct server *s, enum engine_note note, struct str user, struct str device,
                     int64_t number, struct now now)
{
	struct log *l = &s->log;
	struct conn_id_text id = s->acting == NULL ? (struct conn_id_text){ "" } : conn_id(s->acting);
	struct log_field conn = LOG_STR("conn", str_of(id.text, strlen(id.text)));

	switch (note) {
	case NOTE_CAME_ONLINE:
		LOG(l, now.wall, LOG_INFO, "User came online", LOG_STR("user_id", user),
		    LOG_STR("client_id", device), conn);
		return;
	case NOTE_CONNECTED:
		LOG(l, now.wall, LOG_DEBUG, "Client connected", LOG_STR("user_id", user),
		    LOG_STR("client_id", device), LOG_I64("connections", number), conn);
		return;
	case NOTE_DISCONNECTED:
		LOG(l, now.wall, LOG_INFO, "Client disconnected", LOG_STR("user_id", user),
		    LOG_STR("client_id", device), LOG_I64("remaining_connections", number), conn);
		return;
	case NOTE_OFFLINE_SCHEDULED:
		LOG(l, now.wall, LOG_INFO, "User has no more connections, scheduling offline event",
		    LOG_STR("user_id", user), LOG_MS("debounce_delay", number), conn);
		return;
	case NOTE_RECONNECTED:
		LOG(l, now.wall, LOG_INFO, "User reconnected during debounce period, staying online",
		    LOG_STR("user_id", user), LOG_I64("connections", number), conn);
		return;
	case NOTE_WENT_OFFLINE:
		LOG(l, now.wall, LOG_INFO, "User went offline", LOG_STR("user_id", user));
		return;
	case NOTE_RATE_LIMITED:
		LOG(l, now.wall, LOG_DEBUG, "Presence update rate limited", LOG_STR("user_id", user));
		return;
	case NOTE_ROSTER_CHANGED:
		LOG(l, now.wall, LOG_DEBUG, "Online users changed", LOG_I64("users", number));
		return;
	}
}

void note_write(void *ctx, enum engine_note note, struct str user, struct str device,
                int64_t number, struct now now)
{
	struct server *s = ctx;

	note_log(s, note, user, device, number, now);
	if (s->cfg->clustered)
		s->peers.note(s->peers.link.ctx, note, user, device, now);
}

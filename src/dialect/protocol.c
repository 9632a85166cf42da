/*
 * dialect/protocol.c: see protocol.h. Invariant: a command that is handed out as decoded has been zeroed,
 * so that what no row wrote is absent, false or PATCH_KEEP.
 */
#include "dialect/protocol.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "dialect/member.h"

static_assert(REQUEST_ID_BYTES_MAX == 2 + 6 * ID_BYTES_MAX && ID_BYTES_MAX == 128, "what a refusal says");

static bool read_request_id(struct field_reader *r, json_ref id, struct str *out)
{
	enum json_type type = json_type(r->msg, id);
	struct str raw;

	if (type == JSON_TYPE_ABSENT || type == JSON_NULL)
		return true;
	if (type != JSON_STRING && type != JSON_NUMBER)
		return field_refuse(r, STR("id: a string or a number"));
	raw = json_raw(r->msg, id);
	/* It goes back as it came: one with escapes is not unescaped to be measured. */
	if (raw.n > (memchr(raw.p, '\\', raw.n) == NULL ? 2 + ID_BYTES_MAX : REQUEST_ID_BYTES_MAX))
		return field_refuse(r, STR("id: at most 128 bytes"));
	*out = raw;
	return true;
}

static const struct incoming *find_type(const struct protocol *p, struct str type)
{
	for (size_t i = 0; i < p->in_n; i++)
		if (str_eq(p->in[i].type, type))
			return &p->in[i];
	return NULL;
}

/* Where the fields are. {"type":"authenticate","token":...} is one for all dialects. */
static bool read_payload(const struct protocol *p, struct field_reader *r, json_ref root,
                         enum command_type command)
{
	enum json_type type;

	r->obj = p->enveloped ? json_get(r->msg, root, STR("payload")) : root;
	if (command == CMD_AUTHENTICATE && r->obj == JSON_ABSENT)
		r->obj = root;
	type = json_type(r->msg, r->obj);
	if (type == JSON_NULL)
		r->obj = JSON_ABSENT;
	if (type != JSON_OBJECT && r->obj != JSON_ABSENT)
		return field_refuse(r, STR("payload: an object"));
	return true;
}

bool protocol_decode(const struct protocol *p, struct json *msg, struct decode_scratch *scratch,
                     struct command *out, struct decode_error *err)
{
	struct field_reader r = { .msg = msg, .scratch = scratch, .err = err, .obj = JSON_ABSENT };
	json_ref root = json_root(msg);
	const struct incoming *row;
	struct str type;

	assert(out != NULL && err != NULL);
	memset(out, 0, sizeof(*out));
	out->type = CMD_COUNT;
	scratch->used = 0;
	if (json_type(msg, root) != JSON_OBJECT)
		return field_refuse(&r, STR("a message is an object"));
	if (p->has_request_ids && !read_request_id(&r, json_get(msg, root, STR("id")), &out->reply_to))
		return false;
	if (!json_str(msg, json_get(msg, root, STR("type")), &type))
		return field_refuse(&r, STR("type: a string is required"));
	row = find_type(p, type);
	if (row == NULL)
		return field_refuse(&r, p->unknown_type);
	out->type = row->command;
	if (!read_payload(p, &r, root, row->command) || !field_read(&r, row->fields, row->fields_n, out))
		return false;
	return row->finish == NULL || row->finish(&r, out);
}

const struct outgoing *protocol_pick(const struct protocol *p, const struct event *e)
{
	assert(e->type < EV_COUNT);
	for (size_t i = 0; i < p->out_n; i++) {
		const struct outgoing *row = &p->out[i];

		if (row->event != e->type || (e->type == EV_ACK && row->acks != e->command))
			continue;
		if (row->when == NULL || row->when(e))
			return row;
	}
	return NULL;
}

struct str protocol_type(const struct outgoing *row, const struct event *e)
{
	assert(row->event == e->type);
	return e->type == EV_MESSAGE && !str_absent(e->text) ? e->text : row->type;
}

void protocol_write_payload(const struct outgoing *row, const struct event *e, struct jsonw *w)
{
	assert(row->event == e->type);
	jsonw_key(w, STR("payload"));
	if (e->type == EV_MESSAGE) {
		jsonw_raw(w, e->body);
		return;
	}
	jsonw_obj(w);
	if (row->write != NULL)
		row->write(e, w);
	jsonw_end_obj(w);
}

bool protocol_write_flat(const struct protocol *p, const struct event *e, struct jsonw *w)
{
	const struct outgoing *row = protocol_pick(p, e);

	assert(!p->enveloped);
	if (row == NULL)
		return false;
	jsonw_obj(w);
	member_str(w, STR("type"), protocol_type(row, e));
	if (row->write != NULL)
		row->write(e, w);
	jsonw_end_obj(w);
	return true;
}

bool protocol_owns(const struct protocol *p, struct str type)
{
	assert(p->in != NULL && p->out != NULL);
	for (size_t i = 0; i < p->out_n; i++)
		if (str_eq(p->out[i].type, type))
			return true;
	return find_type(p, type) != NULL;
}

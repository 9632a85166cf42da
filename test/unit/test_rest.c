/*
 * REST as somebody with curl sees it: a table of requests and answers, against a whole server over memory.
 */
#include "serving.h"
#include "tap.h"

#define T0 "2026-01-14T12:00:00.123Z"
#define WS "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define JSON "Content-Type: application/json\r\n"
#define KEY "Authorization: Bearer s3cret\r\n"
/* {"alg":"none"} . {"sub":"ann","scope":"presence:write"} . */
#define JWT "Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4iLCJzY29wZSI6InByZXNlbmNlOndyaXRlIn0.\r\n"
#define ANN_ONLINE \
	"{\"user_id\":\"ann\",\"online_status\":\"online\",\"custom_status\":null,\"metadata\":null,\"last_seen\":\"" T0 \
	"\",\"is_online\":true,\"device_count\":1}"
#define NOBODY(id) \
	"{\"user_id\":\"" id "\",\"online_status\":\"offline\",\"custom_status\":null,\"metadata\":null,\"last_seen\":null," \
	"\"is_online\":false,\"device_count\":0}"
#define SEED_ANN "{\"user_id\":\"ann\",\"username\":\"Ann\",\"status\":\"online\",\"last_seen\":\"" T0 "\"}"
#define SEED_BOB "{\"user_id\":\"bob\",\"username\":\"bob\",\"status\":\"online\",\"last_seen\":\"" T0 "\"}"
#define ERR(code, text) "{\"error\":{\"code\":" #code ",\"message\":\"" text "\"}}"

static const struct peer loopback = { .address = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 }, .port = 40000 };
static const struct peer loopback6 = { .address = { [15] = 1 }, .port = 40000 };
static const struct peer elsewhere = { .address = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 7 }, .port = 40000 };

static struct serving world;

/* --- asking --- */

struct answer {
	unsigned status;
	char head[2048];
	const char *body;
	bool ended;
};

static int ask_on(int h, const char *method, const char *target, const char *headers, const char *body, struct answer *a)
{
	static char request[200000];
	char length[64] = "";
	const char *end;
	int n;

	if (body != NULL)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
	n = snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: localhost:8080\r\n%s%s\r\n%s", method, target,
	             headers == NULL ? "" : headers, length, body == NULL ? "" : body);
	assert(n > 0 && (size_t)n < sizeof(request));
	serving_forget(&world, h);
	serving_say(&world, h, request, (size_t)n);
	end = strstr(world.ends[h].out, "\r\n\r\n");
	*a = (struct answer){ .body = end == NULL ? "" : end + 4, .ended = world.ends[h].shut || world.ends[h].closed };
	if (end != NULL && (size_t)(end - world.ends[h].out) + 2 < sizeof(a->head))
		memcpy(a->head, world.ends[h].out, (size_t)(end - world.ends[h].out) + 2);
	if (end != NULL)
		a->status = (unsigned)strtoul(world.ends[h].out + 9, NULL, 10);
	return h;
}

static struct answer ask(uint32_t listener, const struct peer *peer, const char *method, const char *target, const char *headers,
                         const char *body)
{
	struct answer a;

	ask_on(serving_connect(&world, listener, peer), method, target, headers, body, &a);
	return a;
}

static int join(const char *target, const char *headers)
{
	char all[1024];
	struct answer a;
	int h = serving_connect(&world, ON_LOOPBACK, &loopback);

	snprintf(all, sizeof(all), WS "%s", headers);
	ask_on(h, "GET", target, all, NULL, &a);
	if (a.status != 101)
		printf("# %s", world.ends[h].out);
	assert(a.status == 101);
	return h;
}

static bool heard(int h, const char *what)
{
	return memmem(world.ends[h].out, world.ends[h].out_n, what, strlen(what)) != NULL;
}

/* ann: snake, phone; bob: dotted, hears the topic presence; cat: rooms, in room r1 */
static int ann, bob, cat;

static void client_text(int h, const char *text)
{
	static char frame[1024];
	size_t n = strlen(text);

	assert(n < 126);
	frame[0] = (char)0x81;
	frame[1] = (char)(0x80 | n);
	memset(frame + 2, 0, 4);
	memcpy(frame + 6, text, n);
	serving_say(&world, h, frame, n + 6);
}

static void begin(void)
{
	serving_defaults(&world.cfg);
	world.cfg.api_key = STR("s3cret");
	serving_start(&world);
	ann = join("/ws?username=Ann", "X-User-ID: ann\r\nX-Device-ID: phone\r\n");
	bob = join("/ws?user_id=bob", "");
	client_text(bob, "{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{\"topics\":[\"presence\",\"notifications\"]}}");
	cat = join("/ws?dialect=rooms&user_id=cat&username=Cat", "");
	client_text(cat, "{\"type\":\"subscribe\",\"channel_id\":\"r1\"}");
}

/* --- the table --- */

static const struct row {
	const char *clause, *name, *method, *target, *headers, *body;
	unsigned status;
	const char *head;   /* stands in the head */
	const char *exact;  /* is the body */
	const char *part;   /* stands in the body */
	uint32_t listener;
	const struct peer *peer; /* NULL: loopback */
} rows[] = {
	{ "4", "health", "GET", "/health", NULL, NULL, 200, "Content-Type: application/json\r\n",
	  "{\"status\":\"healthy\",\"service\":\"presence\",\"active_connections\":3,\"timestamp\":\"" T0 "\",\"uptime\":0}", NULL, 0, NULL },
	{ "4", "health as seed 004", "GET", "/health", NULL, NULL, 200, NULL, NULL, "{\"status\":\"OK\"", ON_UPPER, NULL },
	{ "4", "live", "GET", "/live", NULL, NULL, 200, NULL, "{\"status\":\"live\"}", NULL, 0, NULL },
	{ "4", "ready", "GET", "/ready", NULL, NULL, 200, NULL, "{\"status\":\"ready\",\"checks\":{}}", NULL, 0, NULL },
	{ "4", "metrics", "GET", "/metrics", NULL, NULL, 200, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n", NULL,
	  "\nws_connections_active 3\n", 0, NULL },
	{ "H21", "HEAD has no body", "HEAD", "/presence/zoe", NULL, NULL, 200, "Content-Length: 53\r\n", "", NULL, 0, NULL },
	{ "4", "favicon is no user", "GET", "/favicon.ico", NULL, NULL, 404, NULL, NULL, NULL, 0, NULL },
	{ "4", "robots", "GET", "/robots.txt", NULL, NULL, 200, "Content-Type: text/plain\r\n", "User-agent: *\nDisallow: /\n", NULL, 0, NULL },
	{ "U2", "ws without upgrade", "GET", "/ws", NULL, NULL, 426, "Upgrade: websocket\r\n", NULL, NULL, 0, NULL },
	{ "7.8", "h2c is let be, and nothing behind the answer is read", "GET", "/live",
	  "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n", NULL, 200, "Connection: close\r\n", "{\"status\":\"live\"}",
	  NULL, 0, NULL },
	{ "7.8", "h2c beside a body", "PUT", "/api/v1/presence/cat", JSON "Upgrade: h2c\r\nConnection: Upgrade\r\n", "{\"online_status\":\"online\"}", 200,
	  "Connection: close\r\n", NULL, "\"user_id\":\"cat\"", 0, NULL },
	{ "U2", "h2c where WebSockets are", "GET", "/ws", "Upgrade: h2c\r\nConnection: Upgrade\r\n", NULL, 426, "Connection: close, upgrade\r\n", NULL, NULL, 0, NULL },
	{ "U2", "websocket elsewhere", "GET", "/live", WS, NULL, 404, "Connection: close\r\n", NULL, NULL, 0, NULL },
	{ "U2", "websocket beside h2c elsewhere", "GET", "/live", "Upgrade: h2c, websocket\r\nConnection: Upgrade\r\n", NULL, 426, NULL, NULL, NULL, 0, NULL },
	{ "H21", "HEAD that is malformed has no body either", "HEAD", "/live", "nothing\r\n", NULL, 400, NULL, "", NULL, 0, NULL },
	{ "U6", "a listener's own dialect, wherever it is offered", "GET", "/?userId=dot", WS "Sec-WebSocket-Protocol: presenced.snake, presenced.upper\r\n", NULL,
	  101, "Sec-WebSocket-Protocol: presenced.upper\r\n", NULL, NULL, ON_UPPER, NULL },
	{ "U6", "another's", "GET", "/?userId=dot", WS "Sec-WebSocket-Protocol: presenced.snake\r\n", NULL, 101, NULL, NULL, NULL, ON_UPPER, NULL },
	{ "U13", "two tokens", "GET", "/ws?token=a&token=a", WS, NULL, 401, NULL, NULL, NULL, 0, NULL },
	{ "T8", "a token with a newline", "GET", "/ws?token=a%0a", WS, NULL, 401, NULL, NULL, NULL, 0, NULL },
	{ "4", "no such path", "GET", "/api/v2/x", NULL, NULL, 404, NULL, ERR(404, "no such path"), NULL, 0, NULL },
	{ "4", "longer than any path", "GET", "/1/2/3/4/5/6/7/8/9/10", NULL, NULL, 404, NULL, NULL, NULL, 0, NULL },
	{ "4", "a path under a fixed one", "GET", "/health/x", NULL, NULL, 404, NULL, NULL, NULL, 0, NULL },

	{ "seed 002", "user", "GET", "/presence/ann", NULL, NULL, 200, NULL, SEED_ANN, NULL, 0, NULL },
	{ "seed 002", "unknown user", "GET", "/presence/zoe", NULL, NULL, 200, NULL,
	  "{\"user_id\":\"zoe\",\"status\":\"offline\",\"last_seen\":null}", NULL, 0, NULL },
	{ "seed 002", "all", "GET", "/presence", NULL, NULL, 200, NULL, NULL, "{\"users\":[" SEED_ANN "," SEED_BOB ",", 0, NULL },
	{ "seed 002", "count", "GET", "/presence", NULL, NULL, 200, NULL, NULL, "],\"count\":3}", 0, NULL },
	{ "seed 000", "user at the root", "GET", "/ann", NULL, NULL, 200, NULL, ANN_ONLINE, NULL, 0, NULL },
	{ "4", "user in the API", "GET", "/api/v1/presence/ann", NULL, NULL, 200, NULL, ANN_ONLINE, NULL, 0, NULL },
	{ "4", "the API serves every id", "GET", "/api/v1/presence/health", NULL, NULL, 200, NULL, NOBODY("health"), NULL, 0, NULL },
	{ "4", "id decoded once", "GET", "/z%C3%B6e", NULL, NULL, 200, NULL, NOBODY("z\xc3\xb6" "e"), NULL, 0, NULL },
	{ "4", "id with a slash", "GET", "/api/v1/presence/a%2Fb", NULL, NULL, 200, NULL, NOBODY("a/b"), NULL, 0, NULL },
	{ "4", "devices", "GET", "/api/v1/presence/ann/devices", NULL, NULL, 200, NULL, NULL,
	  "\"dialect\":\"snake\",\"connected_at\":\"" T0 "\",\"last_seen\":\"" T0 "\"}]}", 0, NULL },
	{ "4", "no devices", "GET", "/api/v1/presence/zoe/devices", NULL, NULL, 200, NULL, "{\"devices\":[]}", NULL, 0, NULL },

	{ "H15", "NUL in an id", "GET", "/a%00b", NULL, NULL, 400, NULL, NULL, NULL, 0, NULL },
	{ "H15", "dot segments", "GET", "/presence/%2e%2e", NULL, NULL, 400, NULL, NULL, NULL, 0, NULL },
	{ "H15", "broken escape", "GET", "/%GG", NULL, NULL, 400, NULL, NULL, NULL, 0, NULL },
	{ "H15", "double encoding", "GET", "/a%2541", NULL, NULL, 400, NULL, NULL, NULL, 0, NULL },
	{ "H15", "overlong UTF-8", "GET", "/%c0%af", NULL, NULL, 400, NULL, NULL, NULL, 0, NULL },
	{ "H15", "empty id", "GET", "/presence/", NULL, NULL, 400, NULL, ERR(400, "the path holds no valid id"), NULL, 0, NULL },
	{ "H15", "id of 129 bytes", "GET",
	  "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  NULL, NULL, 400, NULL, NULL, NULL, 0, NULL },

	{ "H21", "405 with Allow", "DELETE", "/health", NULL, NULL, 405, "Allow: GET, HEAD, OPTIONS\r\n", NULL, NULL, 0, NULL },
	{ "H21", "405 on two rows", "DELETE", "/api/v1/presence/ann", NULL, NULL, 405, "Allow: GET, HEAD, POST, PUT, OPTIONS\r\n", NULL, NULL, 0,
	  NULL },
	{ "4", "fixed paths win for all methods", "GET", "/api/v1/presence/bulk", NULL, NULL, 405, "Allow: POST, OPTIONS\r\n", NULL, NULL, 0,
	  NULL },
	{ "4", "PATCH", "PATCH", "/ann", NULL, NULL, 405, NULL, NULL, NULL, 0, NULL },

	{ "CORS", "OPTIONS", "OPTIONS", "/api/v1/presence/ann", NULL, NULL, 204, "Allow: GET, HEAD, POST, PUT, OPTIONS\r\n", "", NULL, 0, NULL },
	{ "CORS", "OPTIONS *", "OPTIONS", "*", NULL, NULL, 204, "Allow: ", "", NULL, 0, NULL },
	{ "CORS", "preflight", "OPTIONS", "/ann", "Origin: http://localhost:3000\r\n", NULL, 204,
	  "Access-Control-Allow-Origin: http://localhost:3000\r\nVary: Origin\r\nAccess-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n", "", NULL, 0,
	  NULL },
	{ "CORS", "a read", "GET", "/live", "Origin: http://localhost:3000\r\n", NULL, 200,
	  "Access-Control-Allow-Origin: http://localhost:3000\r\n", NULL, NULL, 0, NULL },
	{ "CORS", "an error too", "GET", "/a/b/c", "Origin: http://localhost:3000\r\n", NULL, 404,
	  "Access-Control-Allow-Origin: http://localhost:3000\r\n", NULL, NULL, 0, NULL },

	{ "4", "bulk: order and duplicates kept", "POST", "/api/v1/presence/bulk", JSON, "{\"user_ids\":[\"zoe\",\"ann\",\"zoe\"]}", 200, NULL,
	  "{\"presences\":[" NOBODY("zoe") "," ANN_ONLINE "," NOBODY("zoe") "]}", NULL, 0, NULL },
	{ "4", "bulk is a read", "POST", "/api/v1/presence/bulk", JSON, "{\"user_ids\":[\"zoe\"]}", 200, NULL, NULL, NULL, 0, &elsewhere },
	{ "4", "bulk: no list", "POST", "/api/v1/presence/bulk", JSON, "{\"user_ids\":\"zoe\"}", 400, NULL, NULL, "user_ids: ", 0, NULL },
	{ "4", "bulk: bad id", "POST", "/api/v1/presence/bulk", JSON, "{\"user_ids\":[\"\"]}", 400, NULL, NULL, "user_ids: ", 0, NULL },
	{ "4", "bulk: nobody asked for", "POST", "/api/v1/presence/bulk", JSON, "{\"user_ids\":[]}", 200, NULL, "{\"presences\":[]}", NULL, 0, NULL },
	{ "4", "bulk: no list", "POST", "/api/v1/presence/bulk", JSON, "{}", 400, NULL, NULL, "user_ids: ", 0, NULL },

	{ "4", "a method that nobody knows", "BREW", "/ann", NULL, NULL, 501, NULL, ERR(501, "this method is not known here"), NULL, 0, NULL },
	{ "U2", "half an upgrade", "GET", "/ws", "Connection: upgrade\r\n", NULL, 426, "Sec-WebSocket-Version: 13\r\n",
	  ERR(426, "one header is required: Upgrade: websocket"), NULL, 0, NULL },
	{ "4", "no body", "PUT", "/api/v1/presence/dan", JSON, NULL, 400, NULL, NULL, NULL, 0, NULL },
	{ "4", "another media type", "PUT", "/api/v1/presence/dan", "Content-Type: text/plain\r\n", "{\"online_status\":\"busy\"}", 415, NULL, NULL,
	  NULL, 0, NULL },
	{ "4", "no media type", "PUT", "/api/v1/presence/dan", NULL, "{\"online_status\":\"busy\"}", 415, NULL, NULL, NULL, 0, NULL },
	{ "4", "no JSON", "PUT", "/api/v1/presence/dan", JSON, "{\"online_status\":", 400, NULL, NULL, NULL, 0, NULL },
	{ "4", "no object", "PUT", "/api/v1/presence/dan", JSON, "[]", 400, NULL, ERR(400, "the body must be a JSON object"), NULL, 0, NULL },
	{ "J7", "duplicate key", "PUT", "/api/v1/presence/dan", JSON, "{\"a\":1,\"a\":2}", 400, NULL, NULL, NULL, 0, NULL },
	{ "4", "no status", "PUT", "/api/v1/presence/dan", JSON, "{}", 400, NULL, NULL, "online_status: one of online, away", 0, NULL },
	{ "4", "unknown status", "PUT", "/api/v1/presence/dan", JSON, "{\"online_status\":\"asleep\"}", 400, NULL, NULL, "online_status: one of ",
	  0, NULL },
	{ "4", "metadata is no object", "PUT", "/api/v1/presence/dan", JSON, "{\"online_status\":\"away\",\"metadata\":1}", 400, NULL, NULL,
	  "metadata: ", 0, NULL },
	{ "4", "nobody comes online by PUT", "PUT", "/api/v1/presence/dan", "Content-Type: Application/JSON ; charset=utf-8\r\n",
	  "{\"online_status\":\"busy\"}", 200, NULL, NULL, "\"online_status\":\"offline\"", 0, NULL },

	{ "4", "heartbeat without body", "POST", "/api/v1/presence/eve/heartbeat", NULL, NULL, 204, NULL, "", NULL, 0, NULL },
	{ "4", "heartbeat: ill-typed", "POST", "/api/v1/presence/eve/heartbeat", JSON, "{\"device_id\":7}", 400, NULL, NULL, "device_id: ", 0, NULL },
	{ "4", "heartbeat: bad header", "POST", "/api/v1/presence/eve/heartbeat", "X-Device-ID: \xff\r\n", NULL, 400, NULL, NULL, "X-Device-ID: ", 0,
	  NULL },
	{ "4", "typing: no room", "POST", "/api/v1/typing", JSON, "{\"user_id\":\"ann\",\"is_typing\":true}", 400, NULL, NULL, "conversation_id: ", 0,
	  NULL },
	{ "4", "typing: ill-typed", "POST", "/api/v1/typing", JSON, "{\"conversation_id\":\"r1\",\"user_id\":\"ann\",\"is_typing\":1}", 400, NULL,
	  NULL, "is_typing: ", 0, NULL },
	{ "4", "broadcast: to nobody", "POST", "/api/v1/broadcast", JSON, "{\"data\":1}", 400, NULL, NULL, "to whom?", 0, NULL },
	{ "4", "broadcast: all false is nobody", "POST", "/api/v1/broadcast", JSON, "{\"all\":false,\"data\":1}", 400, NULL, NULL, "to whom?", 0,
	  NULL },
	{ "4", "broadcast: to one and to all", "POST", "/api/v1/broadcast", JSON, "{\"users\":[\"ann\"],\"all\":true,\"data\":1}", 400, NULL, NULL,
	  "to whom?", 0, NULL },
	{ "4", "broadcast: to one and not to all", "POST", "/api/v1/broadcast", JSON, "{\"users\":[\"ann\"],\"all\":false,\"data\":1}", 202, NULL,
	  "{\"delivered\":1}", NULL, 0, NULL },
	{ "4", "broadcast: no data", "POST", "/api/v1/broadcast", JSON, "{\"all\":true}", 400, NULL, NULL, "data: ", 0, NULL },
	{ "4", "broadcast: unknown topic", "POST", "/api/v1/broadcast", JSON, "{\"topic\":\"x\",\"data\":1}", 400, NULL, NULL, "topic: one of ", 0,
	  NULL },
	{ "4", "broadcast: forged type", "POST", "/api/v1/broadcast", JSON, "{\"all\":true,\"type\":\"CONNECT\",\"data\":1}", 400, NULL, NULL,
	  "type: ", 0, NULL },
	{ "4", "broadcast: ill-typed users", "POST", "/api/v1/broadcast", JSON, "{\"users\":[1],\"data\":1}", 400, NULL, NULL, "users: ", 0, NULL },
	{ "4", "broadcast to one", "POST", "/api/v1/broadcast", JSON, "{\"users\":[\"ann\"],\"data\":null}", 202, NULL, "{\"delivered\":1}", NULL, 0,
	  NULL },
	{ "4", "broadcast to all but one", "POST", "/api/v1/broadcast", JSON, "{\"all\":true,\"exclude\":[\"ann\"],\"data\":[1,\"x\"]}", 202, NULL,
	  "{\"delivered\":2}", NULL, 0, NULL },
	{ "4", "broadcast to a room", "POST", "/api/v1/broadcast", JSON, "{\"room\":\"r1\",\"data\":{}}", 202, NULL, "{\"delivered\":1}", NULL, 0,
	  NULL },
	{ "4", "broadcast to an empty room", "POST", "/api/v1/broadcast", JSON, "{\"room\":\"r2\",\"data\":{}}", 202, NULL, "{\"delivered\":0}",
	  NULL, 0, NULL },

	{ "H23", "write from elsewhere", "POST", "/api/v1/presence/eve/heartbeat", NULL, NULL, 401, "WWW-Authenticate: Bearer\r\n", NULL, NULL, 0,
	  &elsewhere },
	{ "H23", "with the key", "POST", "/api/v1/presence/eve/heartbeat", KEY, NULL, 204, NULL, NULL, NULL, 0, &elsewhere },
	{ "H23", "key wrong by a byte", "POST", "/api/v1/presence/eve/heartbeat", "Authorization: Bearer s3creT\r\n", NULL, 401, NULL, NULL, NULL, 0,
	  NULL },
	{ "H23", "key too long", "GET", "/ann", "Authorization: Bearer s3crets3cret\r\n", NULL, 401, NULL, NULL, NULL, 0, NULL },
	{ "H23", "key too short", "GET", "/ann", "Authorization: Bearer s3cre\r\n", NULL, 401, NULL, NULL, NULL, 0, NULL },
	{ "H23", "blanks behind the scheme", "POST", "/api/v1/presence/eve/heartbeat", "Authorization: bEARER   s3cret\r\n", NULL, 204, NULL, NULL, NULL,
	  0, &elsewhere },
	{ "H23", "a tab behind the scheme", "GET", "/ann", "Authorization: Bearer \ts3cret\r\n", NULL, 401,
	  "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n", NULL, NULL, 0, NULL },
	{ "H23", "a scheme alone", "GET", "/ann", "Authorization: Bearer\r\n", NULL, 401,
	  "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n", NULL, NULL, 0, NULL },
	{ "H23", "another scheme", "GET", "/ann", "Authorization: Basic czNjcmV0\r\n", NULL, 401, NULL, NULL, NULL, 0, NULL },
	{ "H23", "two keys", "GET", "/ann", KEY KEY, NULL, 401, NULL, NULL, NULL, 0, NULL },
	{ "H23", "an unverified token reads", "GET", "/ann", JWT, NULL, 200, NULL, NULL, NULL, 0, &elsewhere },
	{ "H23", "and does not write", "POST", "/api/v1/presence/eve/heartbeat", JWT, NULL, 403, NULL, NULL, NULL, 0, &elsewhere },
	{ "4", "reads are free", "GET", "/ann", NULL, NULL, 200, NULL, NULL, NULL, 0, &elsewhere },
	{ "4", "loopback, IPv6", "POST", "/api/v1/presence/eve/heartbeat", NULL, NULL, 204, NULL, NULL, NULL, 0, &loopback6 },
	{ "4", "unix socket", "POST", "/api/v1/presence/eve/heartbeat", NULL, NULL, 204, NULL, NULL, NULL, ON_UNIX, &(struct peer){ .port = 0 } },
	{ "4", "forwarded", "POST", "/api/v1/presence/eve/heartbeat", "X-Forwarded-For: 1.2.3.4\r\n", NULL, 401, NULL, NULL, NULL, 0, NULL },
	{ "4", "forwarded, RFC 7239", "POST", "/api/v1/presence/eve/heartbeat", "forwarded: for=1.2.3.4\r\n", NULL, 401, NULL, NULL, NULL, 0, NULL },
	{ "4", "a foreign page", "POST", "/api/v1/presence/eve/heartbeat", "Origin: https://evil.example\r\n", NULL, 403, NULL, NULL, NULL, 0, NULL },
	{ "4", "a page of this machine", "POST", "/api/v1/presence/eve/heartbeat", "Origin: http://localhost:3000\r\n", NULL, 204, NULL, NULL, NULL,
	  0, NULL },

	{ "4", "admin not here", "GET", "/admin/stats", NULL, NULL, 401, "WWW-Authenticate: Bearer\r\n", NULL, NULL, 0, NULL },
	{ "4", "admin by a token", "GET", "/admin/stats", JWT, NULL, 403, NULL, NULL, NULL, 0, NULL },
	{ "4", "admin by key", "GET", "/admin/stats", KEY, NULL, 200, NULL, NULL, "\"nodes\":1", 0, &elsewhere },
	{ "4", "admin listener", "GET", "/admin/stats", NULL, NULL, 200, NULL, NULL, "{\"connections\":3,", ON_ADMIN, &elsewhere },
	{ "4", "admin: a foreign page", "POST", "/admin/drain", "Origin: https://evil.example\r\n", NULL, 403, NULL, NULL, NULL, ON_ADMIN, NULL },
	{ "4", "all else on an admin listener", "GET", "/ann", NULL, NULL, 200, NULL, ANN_ONLINE, NULL, ON_ADMIN, NULL },
	{ "4", "connections", "GET", "/admin/connections?limit=1", NULL, NULL, 200, NULL, NULL,
	  "\"user_id\":\"ann\",\"device_id\":\"phone\",\"dialect\":\"snake\",\"address\":\"127.0.0.1:40000\",\"connected_at\":\"" T0
	  "\",\"last_seen\":\"" T0 "\",\"queued_messages\":0,\"queued_bytes\":0}],\"count\":1,\"next\":1}", ON_ADMIN, NULL },
	{ "4", "connections from a cursor", "GET", "/admin/connections?after=1", NULL, NULL, 200, NULL, NULL, "\"count\":2,\"next\":null}", ON_ADMIN,
	  NULL },
	{ "4", "connections behind the end", "GET", "/admin/connections?after=4000000000", NULL, NULL, 200, NULL,
	  "{\"connections\":[],\"count\":0,\"next\":null}", NULL, ON_ADMIN, NULL },
	{ "4", "connections, bad cursor", "GET", "/admin/connections?after=-1", NULL, NULL, 400, NULL, NULL, "after: ", ON_ADMIN, NULL },
	{ "4", "connections, bad limit", "GET", "/admin/connections?limit=501", NULL, NULL, 400, NULL, NULL, "limit: ", ON_ADMIN, NULL },
	{ "4", "no such connection", "DELETE", "/admin/connections/0123456789abcdef", NULL, NULL, 404, NULL, NULL, NULL, ON_ADMIN, NULL },
	{ "4", "no connection id", "DELETE", "/admin/connections/x", NULL, NULL, 404, NULL, NULL, NULL, ON_ADMIN, NULL },
	{ "4", "no such user", "DELETE", "/admin/users/zoe", NULL, NULL, 200, NULL, "{\"closed\":0,\"remaining\":0}", NULL, ON_ADMIN, NULL },
};

static bool matches(const struct row *r, const struct answer *a)
{
	return a->status == r->status && (r->head == NULL || strstr(a->head, r->head) != NULL) &&
	       (r->exact == NULL || strcmp(a->body, r->exact) == 0) && (r->part == NULL || strstr(a->body, r->part) != NULL);
}

static void table(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct answer a;

		begin();
		a = ask(r->listener, r->peer == NULL ? &loopback : r->peer, r->method, r->target, r->headers, r->body);
		if (!tap_ok(matches(r, &a), "%s %s", r->clause, r->name))
			printf("# %s# %s\n", a.head, a.body);
		if (a.status != 0 && !server_valid(world.s))
			tap_ok(false, "%s: the server is sound", r->name);
		serving_stop(&world);
	}
}

/* --- what one request does to others --- */

static void effects(void)
{
	struct answer a;

	begin();
	serving_forget(&world, ann);
	serving_forget(&world, bob);
	a = ask(ON_LOOPBACK, &loopback, "PUT", "/api/v1/presence/cat", JSON,
	        "{\"online_status\":\"away\",\"custom_status\":\"caf\\u00e9\",\"metadata\":{\"a\":\"\\u00e9\"}}");
	tap_is_str(a.body, "{\"user_id\":\"cat\",\"online_status\":\"away\",\"custom_status\":\"caf\xc3\xa9\",\"metadata\":{\"a\":\"\\u00e9\"},"
	                   "\"last_seen\":\"" T0 "\",\"is_online\":true,\"device_count\":1}", "4 PUT answers the new record");
	tap_ok(heard(ann, "presence_update") && heard(ann, "\"away\""), "4 PUT is broadcast to snake");
	tap_ok(heard(bob, "presence.update"), "4 and to dotted");
	a = ask(ON_LOOPBACK, &loopback, "GET", "/presence/cat", NULL, NULL);
	tap_is_str(a.body, "{\"user_id\":\"cat\",\"username\":\"Cat\",\"status\":\"away\",\"last_seen\":\"" T0 "\"}", "4 and shown by REST");

	serving_forget(&world, cat);
	a = ask(ON_LOOPBACK, &loopback, "POST", "/api/v1/typing", JSON, "{\"conversation_id\":\"r1\",\"user_id\":\"ann\",\"is_typing\":true}");
	tap_is_u64(a.status, 202, "4 typing is taken");
	tap_ok(heard(cat, "{\"type\":\"typing\",\"channel_id\":\"r1\""), "4 typing is heard in the room");

	serving_forget(&world, ann);
	serving_forget(&world, cat);
	a = ask(ON_LOOPBACK, &loopback, "POST", "/api/v1/broadcast", JSON, "{\"all\":true,\"data\":{\"k\":\"\\n\"}}");
	tap_ok(heard(ann, "{\"k\":\"\\n\"}"), "4 data is passed through unchanged");
	tap_ok(heard(cat, "{\"type\":\"message\",\"data\":{\"k\":\"\\n\"}"), "4 a broadcast in rooms");

	ask(ON_LOOPBACK, &loopback, "POST", "/api/v1/presence/eve/heartbeat", JSON, "{\"client_id\":\"cli\"}");
	a = ask(ON_LOOPBACK, &loopback, "GET", "/api/v1/presence/eve/devices", NULL, NULL);
	tap_is_str(a.body, "{\"devices\":[{\"device_id\":\"cli\",\"connection_id\":null,\"dialect\":null,\"connected_at\":null,"
	                   "\"last_seen\":\"" T0 "\"}]}", "4 a heartbeat makes a device without a socket");
	tap_ok(strstr(ask(ON_LOOPBACK, &loopback, "GET", "/eve", NULL, NULL).body, "\"is_online\":true") != NULL, "4 and its user online");
	serving_pass(&world, world.cfg.presence_ttl_ms + world.cfg.offline_debounce_ms + 60000);
	a = ask(ON_LOOPBACK, &loopback, "GET", "/eve", NULL, NULL);
	tap_ok(strstr(a.body, "\"is_online\":false") != NULL, "4 for presence-ttl");
	serving_stop(&world);
}

static void invisible(void)
{
	struct answer a;

	begin();
	ask(ON_LOOPBACK, &loopback, "PUT", "/api/v1/presence/ann", JSON, "{\"online_status\":\"invisible\"}");
	a = ask(ON_LOOPBACK, &loopback, "GET", "/ann", NULL, NULL);
	tap_ok(strstr(a.body, "\"online_status\":\"offline\"") && strstr(a.body, "\"is_online\":false"), "2 invisible is offline");
	a = ask(ON_LOOPBACK, &loopback, "GET", "/presence/ann", NULL, NULL);
	tap_ok(strstr(a.body, "{\"user_id\":\"ann\",\"username\":\"Ann\",\"status\":\"offline\",\"last_seen\":\"") != NULL,
	       "2 invisible has seed 002's form of who went");
	a = ask(ON_LOOPBACK, &loopback, "GET", "/api/v1/presence/ann/devices", NULL, NULL);
	tap_is_str(a.body, "{\"devices\":[]}", "2 invisible has no devices");
	a = ask(ON_LOOPBACK, &loopback, "GET", "/presence", NULL, NULL);
	tap_ok(strstr(a.body, "\"ann\"") == NULL && strstr(a.body, "\"count\":2}") != NULL, "2 invisible is not listed");
	serving_stop(&world);
}

static void operators(void)
{
	char target[64] = "/admin/connections/";
	const char *id;
	struct answer a;

	begin();
	a = ask(ON_ADMIN, &loopback, "GET", "/admin/connections", NULL, NULL);
	id = strstr(a.body, "\"connection_id\":\"");
	assert(id != NULL);
	memcpy(target + strlen(target), id + 17, 16);
	a = ask(ON_ADMIN, &loopback, "DELETE", target, NULL, NULL);
	tap_is_u64(a.status, 204, "4 DELETE of a connection");
	tap_ok(heard(ann, "\x0f\xa2"), "4 is closed 4002");
	a = ask(ON_ADMIN, &loopback, "DELETE", target, NULL, NULL);
	tap_is_u64(a.status, 404, "4 once");
	a = ask(ON_ADMIN, &loopback, "DELETE", "/admin/users/bob", NULL, NULL);
	tap_is_str(a.body, "{\"closed\":1,\"remaining\":0}", "4 DELETE of a user");
	tap_ok(heard(bob, "\x0f\xa2"), "4 closes theirs 4002");
	tap_ok(!heard(cat, "\x0f\xa2"), "4 and nobody else's");
	a = ask(ON_ADMIN, &loopback, "POST", "/admin/drain", NULL, NULL);
	tap_ok(a.status == 202 && strstr(a.head, "Connection: close\r\n") != NULL && a.ended, "4 drain is answered, then closed");
	tap_ok(heard(cat, "\x03\xe9"), "5 drain closes 1001");
	a = ask(ON_LOOPBACK, &loopback, "GET", "/ready", NULL, NULL);
	tap_ok(a.status == 503, "4 not ready while draining");
	tap_is_str(a.body, "{\"status\":\"unavailable\",\"checks\":{\"draining\":true}}", "4 and why");
	tap_ok(server_valid(world.s), "the server is sound");
	serving_stop(&world);
}

/* --- many --- */

static size_t count(const char *in, const char *what)
{
	size_t n = 0;

	for (; (in = strstr(in, what)) != NULL; in++)
		n++;
	return n;
}

static void many(void)
{
	static char pipelined[80000];
	struct answer a;
	int h;

	begin();
	for (int i = 0; i < 250; i++) {
		char target[64];

		snprintf(target, sizeof(target), "/api/v1/presence/u%03d/heartbeat", i);
		if (i == 0)
			h = serving_connect(&world, ON_LOOPBACK, &loopback);
		ask_on(h, "POST", target, NULL, NULL, &a);
	}
	tap_is_u64(a.status, 204, "keep-alive: 250 requests on one connection");
	ask_on(h, "GET", "/presence", NULL, NULL, &a);
	tap_ok(strstr(a.head, "Transfer-Encoding: chunked\r\n") != NULL, "H26 many users are streamed");
	tap_is_u64(count(a.body, "\"status\":\"online\""), 253, "H26 all of them");
	tap_ok(strstr(a.body, "],\"count\":253}\r\n0\r\n\r\n") != NULL, "H26 and the end");
	for (size_t i = 0, n = 0; i < 1000; i++)
		n += (size_t)snprintf(pipelined + n, sizeof(pipelined) - n, "GET /live HTTP/1.1\r\nHost: localhost:8080\r\n\r\n");
	serving_forget(&world, h);
	serving_say(&world, h, pipelined, strlen(pipelined));
	tap_is_u64(count(world.ends[h].out, "{\"status\":\"live\"}"), 1000, "H19 1000 pipelined");
	serving_stop(&world);
}

/* An answer larger than a client's buffer is whole, be it the last on its connection or not. */
static void large(void)
{
	struct answer a;

	begin();
	world.cfg.client_buffer_bytes = 4096;
	a = ask(ON_LOOPBACK, &loopback, "GET", "/metrics", NULL, NULL);
	tap_ok(strstr(a.body, "presenced_log_dropped_total 0\n") != NULL, "4 an answer larger than client-buffer-bytes");
	a = ask(ON_LOOPBACK, &loopback, "GET", "/metrics", "Connection: close\r\n", NULL);
	tap_ok(strstr(a.body, "presenced_log_dropped_total 0\n") != NULL && a.ended, "4 and the last one");
	serving_stop(&world);
}

/* An allowed Origin as long as a head may be does not break an answer's. */
static void long_origin(void)
{
	static char headers[8000];
	struct answer a;
	char *host = headers + 4096;

	begin();
	memset(host, 'a', 3000);
	snprintf(headers, 4096, "Origin: http://%.3000s\r\n", host);
	a = ask(ON_LOOPBACK, &loopback, "GET", "/live", headers, NULL);
	tap_is_u64(a.status, 200, "H22 a long foreign Origin");
	world.cfg.origins_given = world.cfg.origins_any = true;
	a = ask(ON_LOOPBACK, &loopback, "GET", "/live", headers, NULL);
	tap_is_u64(a.status, 200, "H22 a long Origin where any is allowed");
	a = ask(ON_LOOPBACK, &loopback, "GET", "/live", "Origin: null\r\n", NULL);
	tap_ok(strstr(a.head, "Access-Control-Allow-Origin: *\r\n") != NULL, "CORS for any Origin");
	a = ask(ON_LOOPBACK, &loopback, "POST", "/api/v1/presence/eve/heartbeat", "Origin: https://evil.example\r\n", NULL);
	tap_is_u64(a.status, 401, "4 any Origin may read, but is foreign to a trusted write: it needs a credential");
	world.cfg.origins_any = false;
	world.cfg.origins[0] = STR("https://good.example");
	world.cfg.origin_count = 1;
	a = ask(ON_LOOPBACK, &loopback, "POST", "/api/v1/presence/eve/heartbeat", "Origin: https://good.example\r\n", NULL);
	tap_is_u64(a.status, 204, "4 one that the operator names is not");
	world.cfg.origins_given = false;
	world.cfg.origin_count = 0;
	a = ask(ON_LOOPBACK, &loopback, "POST", "/api/v1/presence/eve/heartbeat", "Origin: http://rebound.example:8080\r\n", NULL);
	tap_is_u64(a.status, 403, "4 a name that was pointed at us is foreign");
	serving_stop(&world);
}

int main(void)
{
	table();
	effects();
	invisible();
	operators();
	many();
	large();
	long_origin();
	return tap_done();
}

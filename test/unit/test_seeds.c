/* test/unit/test_seeds.c: what other programs read of us in Redis, and write: transcripts, byte for byte. */
#include "seeds_rig.h"
#include "tap.h"

/*
 * Lines; what the bus is given for one follows it, each command behind `> `, in order and nothing else; lines that
 * the rig's connections are sent behind `< `, messages of broadcasts only. `?` in front of a line: whatever comes of
 * it is not looked at.
 */
#define JOIN "? nodes \n? up\n? ready\n"
#define T "1970-01-12T13:46:40.000Z"
#define AT(t) "1970-01-12T13:" t ".000Z"
#define UPDATE(user, name, status, at) "> PUBLISH presence:updates {\"type\":\"presence\",\"user_id\":\"" user \
	"\",\"username\":\"" name "\",\"status\":\"" status "\",\"timestamp\":\"" at "\"} \n"
#define KEY(user, name, status, conn, seen) "> SET presence:" user " {\"user_id\":\"" user "\",\"username\":\"" name \
	"\",\"status\":\"" status "\",\"connection_id\":" conn ",\"last_seen\":\"" seen "\"} PX 300000\n"
#define CLIENT(what, user, device, at) "> PUBLISH ws.client." what " {\"user_id\":\"" user "\",\"client_id\":\"" device \
	"\",\"timestamp\":\"" at "\"}\n"
#define ROSTER(users) "> PUBLISH presence.user.online {\"type\":\"presence.user.online\",\"users\":[" users "]}\n"
#define CONN(n) "\"000000000000000" n "\""
#define WORD(user, status) "hear presence:updates {\"type\":\"presence\",\"user_id\":\"" user "\",\"status\":\"" status "\"}\n"
#define CAST "hear message:broadcast "

static const struct {
	const char *clause, *name, *transcript;
} cases[] = {
	{ "C5", "on joining: both channels, and who is online", "nodes \nup\n> SUBSCRIBE message:broadcast\n"
	  "ready\n> SUBSCRIBE presence:updates\n" ROSTER("") },
	{ "S002 Updated on", "connect: key and update as the document has them; ready as seed 003 names it", JOIN "+1000\n"
	  "c1 connect user-123 name=alice dev=d1\n" CLIENT("ready", "user-123", "d1", AT("46:41"))
	  UPDATE("user-123", "alice", "online", AT("46:41")) KEY("user-123", "alice", "online", CONN("1"), AT("46:41"))
	  ROSTER("\"user-123\"") },
	{ "S002 TTL", "disconnect: the key names no connection, then says offline, once", JOIN "+1000\n? c1 connect u dev=d\n"
	  "c1 gone\n" CLIENT("disconnected", "u", "d", AT("46:41")) KEY("u", "u", "online", "null", AT("46:41"))
	  "+4999\n+1\n" UPDATE("u", "u", "offline", AT("46:46")) KEY("u", "u", "offline", "null", AT("46:41"))
	  ROSTER("") "+290000\n" },
	{ "C2", "each status in its word; the same again is nothing", JOIN "? c1 connect u dev=d\n? +2000\n"
	  "c1 set away\n" UPDATE("u", "u", "away", AT("46:42")) KEY("u", "u", "away", CONN("1"), T)
	  "c1 set away\n"
	  "c1 set busy\n" UPDATE("u", "u", "busy", AT("46:42")) KEY("u", "u", "busy", CONN("1"), T)
	  "c1 set dnd\n" UPDATE("u", "u", "dnd", AT("46:42")) KEY("u", "u", "dnd", CONN("1"), T)
	  "c1 set dnd custom=x meta={}\n"
	  "c1 set online\n" UPDATE("u", "u", "online", AT("46:42")) KEY("u", "u", "online", CONN("1"), T) },
	{ "C2", "invisible is offline here, names no connection, types unseen, comes and goes unseen",
	  JOIN "? c1 connect u dev=d\n? +1000\n? c2 connect w dev=e\n? c2 sub conv rooms=r\n? +2000\n"
	  "c1 set invisible\n" UPDATE("u", "u", "offline", AT("46:43")) KEY("u", "u", "offline", "null", AT("46:43")) ROSTER("\"w\"")
	  "c3 connect u dev=f\n" "c3 gone\n" "c1 typing r\n" },
	{ "S002 typing", "the username at typing:{room}:{user} for typing-ttl; gone at the stop", JOIN
	  "? c1 connect u name=Ann dev=d\n? c1 sub conv rooms=r%s\n? c2 connect w dev=e\n? c2 sub conv rooms=r%s\n"
	  "c1 typing r%s\n> SET typing:r%s:u Ann PX 5000\n" "c1 stop r%s\n> DEL typing:r%s:u\n" "c1 typing - to=w\n" },
	{ "C5 redis-keys", "off: no keys, the channels all the same", "keys off\n" JOIN "+1000\n"
	  "c1 connect u dev=d\n" CLIENT("ready", "u", "d", AT("46:41")) UPDATE("u", "u", "online", AT("46:41")) ROSTER("\"u\"")
	  "? c1 sub conv rooms=r\nc1 typing r\n+300000\n" },
	{ "R16", "quotes, formats and colons of peers stay what they are", JOIN "+1000\n"
	  "c1 connect %n%s:\"\\ name=\"x\" dev=%s\n"
	  "> PUBLISH ws.client.ready {\"user_id\":\"%n%s:\\\"\\\\\",\"client_id\":\"%s\",\"timestamp\":\"" AT("46:41") "\"}\n"
	  UPDATE("%n%s:\\\"\\\\", "\\\"x\\\"", "online", AT("46:41"))
	  "> SET presence:%n%s:\"\\ {\"user_id\":\"%n%s:\\\"\\\\\",\"username\":\"\\\"x\\\"\",\"status\":\"online\",\"connection_id\":"
	  CONN("1") ",\"last_seen\":\"" AT("46:41") "\"} PX 300000\n" ROSTER("\"%n%s:\\\"\\\\\"") },
	{ "S002 connection_id", "the smallest of several; the next when it goes", JOIN "? c1 connect u dev=d\n"
	  "c2 connect u dev=e\n" CLIENT("ready", "u", "e", T)
	  "c1 gone\n" CLIENT("disconnected", "u", "d", T) KEY("u", "u", "online", CONN("2"), T) },

	/* --- who speaks --- */
	{ "C5", "of those who host a user the smallest id speaks; nobody for it", JOIN "? nodes a,m,z\n? +2000\n? peer m hosts u\n"
	  "? c1 connect u dev=d\nc1 set away\n" "? c2 connect v dev=d\n? peer a hosts v\n? c2 set away\n"
	  "c2 set busy\n" "c1 set busy\n" UPDATE("u", "u", "busy", AT("46:42")) KEY("u", "u", "busy", CONN("1"), AT("46:42")) },
	{ "C5", "whom nobody hosts the smallest of all speaks for: not this one, then this one", JOIN "? nodes a,m\n? peer a hosts u\n"
	  "? peer a drops u\n+5000\n" "? peer m hosts v\n? nodes m\n? peer m drops v\n"
	  "+5000\n" UPDATE("v", "v", "offline", AT("46:50")) KEY("v", "v", "offline", "null", AT("46:45")) ROSTER("") },
	{ "P5", "the one that spoke dies: the other host writes the key anew, and publishes nothing that was said",
	  JOIN "? nodes a\n? peer a hosts u\n? +2000\nc1 connect u dev=d\n" CLIENT("ready", "u", "d", AT("46:42"))
	  "nodes \n" KEY("u", "u", "online", CONN("1"), AT("46:42")) ROSTER("\"u\"") "? peer a drops u\n+4000\n" },
	{ "P5", "its user was there alone: one offline, by the smallest that lives", JOIN "? nodes a\n? peer a hosts u\n? +2000\n"
	  "? nodes \n? peer a drops u\n+5000\n" UPDATE("u", "u", "offline", AT("46:47")) KEY("u", "u", "offline", "null", AT("46:42"))
	  ROSTER("") "+20000\n" },
	{ "C5", "one who comes to speak again tells and writes what has changed by that", JOIN "? c1 connect u dev=d\n? nodes a\n"
	  "? peer a hosts u\n? +2000\nc1 set away\npeer a drops u\n" UPDATE("u", "u", "away", AT("46:42")) KEY("u", "u", "away", CONN("1"), AT("46:42")) },

	/* --- the bus --- */
	{ "R12", "no room: it waits, and what is said then is how it is then, once", JOIN "? c1 connect u dev=d\n? +2000\n? room 0\n"
	  "c1 set away\nc1 set busy\n+1000\nc1 set dnd\n? room -1\n+10\n"
	  "> PUBLISH presence:updates {\"type\":\"presence\",\"user_id\":\"u\",\"username\":\"u\",\"status\":\"dnd\",\"timestamp\":\""
	  "1970-01-12T13:46:43.010Z\"} \n" KEY("u", "u", "dnd", CONN("1"), T) },
	{ "R12", "room for one of two: the other follows, nothing twice", JOIN "? c1 connect u dev=d\n? +2000\n? room 1\n"
	  "c1 set away\n" UPDATE("u", "u", "away", AT("46:42")) "? room -1\n+10\n" KEY("u", "u", "away", CONN("1"), T) },
	{ "R12", "down: coalesced; back soon: what differs, and no more", JOIN "? c1 connect u dev=d\n? c2 connect v dev=d\n? +2000\n"
	  "down\nc1 set away\nc1 set busy\nc2 set away\nc2 set online\n+1000\n"
	  "? up\n+0\nready\n> SUBSCRIBE presence:updates\n" UPDATE("u", "u", "busy", AT("46:43")) KEY("u", "u", "busy", CONN("1"), T)
	  ROSTER("\"u\",\"v\"") "+100\n" },
	{ "R15", "back after others may have said that all are gone: said and written anew", JOIN "? c1 connect u dev=d\n? +2000\n"
	  "down\n+4000\n? up\nready\n> SUBSCRIBE presence:updates\n" UPDATE("u", "u", "online", AT("46:46"))
	  KEY("u", "u", "online", CONN("1"), AT("46:40")) ROSTER("\"u\"") },
	{ "R11", "FLUSHALL: everybody online is written and said anew, who is offline not", JOIN
	  "? c1 connect u dev=d\n? c2 connect v dev=d\n? c2 gone\n? +6000\n"
	  "rewrite\n" UPDATE("u", "u", "online", AT("46:46")) KEY("u", "u", "online", CONN("1"), T) ROSTER("\"u\"") "+10000\n" },
	{ "C5", "connected, but others have not told yet: nothing is said of users, broadcasts are heard",
	  "nodes \nup\n> SUBSCRIBE message:broadcast\n" "c1 connect u dev=d\n" CLIENT("ready", "u", "d", T) WORD("x", "online")
	  CAST "{\"user_ids\":[\"u\"],\"message\":{\"a\":1}}\n< c1:  {\"a\":1}\n"
	  "ready\n> SUBSCRIBE presence:updates\n" UPDATE("u", "u", "online", T) KEY("u", "u", "online", CONN("1"), T) ROSTER("\"u\"") },

	/* --- believed --- */
	{ "C5 believed", "another program's user is online here, and gone when it says so: no key of ours, no update",
	  JOIN "? +2000\n" WORD("x", "online") ROSTER("\"x\"") "who x\n= x online 1\n" WORD("x", "away") "who x\n= x away 1\n" WORD("x", "online") "who x\n= x online 1\n"
	  WORD("x", "offline") "+4999\nwho x\n= x online 0\n+1\n" ROSTER("") "who x\n= x offline 0\n+10000\n" },
	{ "C5 believed", "busy and dnd are set as if the user had; online and away end them", JOIN "? +2000\n"
	  WORD("x", "busy") ROSTER("\"x\"") "who x\n= x busy 1\n" WORD("x", "dnd") "who x\n= x dnd 1\n" WORD("x", "away") "who x\n= x away 1\n" WORD("x", "busy")
	  "who x\n= x busy 1\n" WORD("x", "online") "who x\n= x online 1\n+2000\n" },
	{ "C5 believed", "a username is taken; invisible is offline", JOIN "? +2000\n"
	  "? hear presence:updates {\"type\":\"presence\",\"user_id\":\"x\",\"username\":\"Xe\",\"status\":\"online\",\"timestamp\":1}\n"
	  "who x\n= Xe online 1\n" WORD("x", "invisible") "? +5000\nwho x\n= Xe offline 0\n" },
	{ "C5 a node knows its own", "whom a node hosts nobody else speaks of", JOIN "? nodes a\n? peer a hosts v\n? c1 connect u dev=d\n? +2000\n"
	  WORD("u", "offline") WORD("v", "offline") WORD("u", "away") WORD("v", "busy") "+6000\nwho u\n= u online 1\nwho v\n= v online 1\n" },
	{ "C5 echo", "what comes back of one's own does nothing, even when its user has left meanwhile", JOIN "? c1 connect u dev=d\n? c1 gone\n"
	  "echo\n? +5000\nwho u\n= u offline 0\necho\n+1000\nwho u\n= u offline 0\n" },
	{ "C5 believed", "one whom a node takes over is its own from then on: the word of outside holds nobody", JOIN "? +2000\n"
	  WORD("x", "online") ROSTER("\"x\"") "c1 connect x dev=d\n" CLIENT("ready", "x", "d", AT("46:42"))
	  KEY("x", "x", "online", CONN("1"), AT("46:42")) "who x\n= x online 1\n"
	  "? c1 gone\n+5000\n" UPDATE("x", "x", "offline", AT("46:47")) KEY("x", "x", "offline", "null", AT("46:42")) ROSTER("")
	  "who x\n= x offline 0\n" },
	{ "C5 believed", "one who is said to be gone and then comes to a node: that is said", JOIN "? c2 connect w dev=d\n? +2000\n"
	  WORD("x", "online") ROSTER("\"w\",\"x\"") WORD("x", "offline") "c1 connect x dev=d\n" CLIENT("ready", "x", "d", AT("46:42"))
	  UPDATE("x", "x", "online", AT("46:42")) KEY("x", "x", "online", CONN("2"), AT("46:42")) "who x\n= x online 1\n" },
	{ "C5 believed", "a node that is met after its users' updates were heard: they are its own", JOIN "? nodes z\n? +2000\n"
	  WORD("x", "online") ROSTER("\"x\"") "? peer z hosts x\n+1000\nwho x\n= x online 1\n? peer z drops x\n+5000\n"
	  UPDATE("x", "x", "offline", AT("46:48")) KEY("x", "x", "offline", "null", AT("46:43")) ROSTER("") },
	{ "C2", "who is invisible here stays it, and nobody is contradicted", JOIN "? c1 connect x dev=d\n? c1 set invisible\n? c1 gone\n? +6000\n"
	  WORD("x", "online") "+2000\nwho x\n= x offline 0\n" WORD("x", "busy") "+2000\nwho x\n= x offline 0\n" WORD("x", "offline")
	  "c1 connect x dev=d\nwho x\n= x offline 0\n" },
	{ "C5", "fading is said by the smallest only", JOIN "? nodes a\n? +2000\n" WORD("x", "online") "+620000\nwho x\n= x offline 0\n" },
	{ "C5 a node knows its own", "and the debounce of whom it hosted: it ends as it would have", JOIN "? c1 connect u dev=d\n? c1 gone\n? +1000\n"
	  WORD("u", "offline") "+4000\n" UPDATE("u", "u", "offline", AT("46:45")) KEY("u", "u", "offline", "null", T) ROSTER("") },
	{ "C5", "one who keeps a key again, after another node may have, writes it anew", JOIN "? c1 connect u dev=d\n? nodes a\n? peer a hosts u\n"
	  "? +2000\nnodes \n" KEY("u", "u", "online", CONN("1"), T) ROSTER("\"u\"") },

	/* --- message:broadcast --- */
	{ "S002 message", "what dialect rooms delivers: data as it is, to the room", JOIN
	  "? c1 connect a dev=d\n? c1 sub conv rooms=general\n? c2 connect b dev=d\n? +2000\n"
	  CAST "{\"room_id\": \"general\", \"message\": {\"type\": \"message\", \"data\": {\"message_id\": \"msg-456\"}}}\n"
	  "< c1:  {\"message_id\": \"msg-456\"}\n" },
	{ "C5", "to users; another type is told as the broadcast's; without data the object is the data", JOIN
	  "? c1 connect a dev=d\n? c2 connect b dev=d\n? c3 connect a dev=e\n? +2000\n"
	  CAST "{\"user_ids\":[\"a\",\"x\"],\"message\":{\"type\":\"reaction\",\"data\":[1]}}\n< c1: reaction [1]\n< c3: reaction [1]\n"
	  CAST "{\"user_ids\":[\"b\"],\"message\":{\"type\":\"reac\\u0074ion\",\"emoji\":\"x\"}}\n"
	  "< c2: reaction {\"type\":\"reac\\u0074ion\",\"emoji\":\"x\"}\n"
	  CAST "{\"user_ids\":[\"b\"],\"room_id\":null,\"message\":{\"data\":1}}\n< c2:  {\"data\":1}\n"
	  CAST "{\"user_ids\":[\"b\"],\"message\":{\"type\":\"message\"}}\n< c2:  {\"type\":\"message\"}\n"
	  CAST "{\"user_ids\":[\"b\"],\"message\":{\"type\":7,\"data\":1}}\n< c2:  {\"type\":7,\"data\":1}\n"
	  CAST "{\"user_ids\":[],\"message\":{}}\n" },

	/* --- the roster --- */
	{ "C3 roster", "at most once a second, the last state never withheld; the same set again is not", JOIN "? +2000\n"
	  "? c1 connect b dev=d\n? c2 connect a dev=d\n? c3 connect c dev=d\n+998\n+2\n" ROSTER("\"a\",\"b\",\"c\"")
	  "? c3 set invisible\n? c3 set online\n+3000\n" },
	{ "C3 roster", "nor more often when nodes come and go", JOIN "? +2000\n? nodes a\nnodes \n" ROSTER("") "nodes a\nnodes \n+998\n+2\n" ROSTER("") },
	{ "C5", "only the smallest publishes it; whoever becomes that does", JOIN "? nodes a\n? +2000\nturn\n? c1 connect u dev=d\n+2000\n"
	  "nodes z\n" ROSTER("\"u\"") },
};


/* --- running transcripts --- */

static bool is_output(const char *line)
{
	return strchr("><=", line[0]) != NULL;
}

static void note_output(const char *text, char mark, char *got, size_t room)
{
	for (size_t n; *text != '\0'; text += n + (text[n] == '\n')) {
		size_t have = strlen(got);

		n = strcspn(text, "\n");
		assert(have + n + 4 < room);
		snprintf(got + have, room - have, mark == '\0' ? "%.*s\n" : "> %.*s\n", (int)n, text);
	}
}

static void run_transcript(const char *clause, const char *name, const char *transcript)
{
	static struct seeds_rig t;
	static char got[1 << 16];
	char line[2048];

	sr_init(&t);
	got[0] = '\0';
	for (const char *at = transcript; *at != '\0';) {
		size_t n = strcspn(at, "\n"), have = strlen(got);
		bool silent = at[0] == '?';

		memcpy(line, at, n);
		line[n] = '\0';
		at += n + 1;
		if (is_output(line))
			continue;
		snprintf(got + have, sizeof got - have, "%s\n", line);
		sr_line(&t, line + (silent ? 2 : 0));
		if (!silent && t.started) {
			note_output(sr_out(&t), '>', got, sizeof got);
			note_output(t.heard, '\0', got, sizeof got);
		}
	}
	if (!tap_ok(strcmp(got, transcript) == 0 && t.rig.valid, "%s: %s", clause, name))
		printf("# got:\n%s# want:\n%s", got, transcript);
	sr_fini(&t);
}

/* --- hostile --- */

#define BAD(payload) { sizeof(payload) - 1, payload }
#define ID129 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
static const struct {
	const char *clause, *channel;
	struct { size_t n; const char *p; } payload;
} hostile[] = {
	{ "R16 no JSON", "u", BAD("") }, { "R16 no JSON", "u", BAD("{") }, { "R16 NUL", "u", BAD("{\"type\":\"presence\"}\0") },
	{ "R16 no object", "u", BAD("[]") }, { "R16 no object", "u", BAD("\"presence\"") }, { "R16 nothing in it", "u", BAD("{}") },
	{ "R16 another type", "u", BAD("{\"type\":\"typing\",\"user_id\":\"x\",\"status\":\"online\"}") },
	{ "R16 no type", "u", BAD("{\"user_id\":\"x\",\"status\":\"online\"}") },
	{ "R16 no user", "u", BAD("{\"type\":\"presence\",\"status\":\"online\"}") },
	{ "R16 user no string", "u", BAD("{\"type\":\"presence\",\"user_id\":7,\"status\":\"online\"}") },
	{ "C2 empty id", "u", BAD("{\"type\":\"presence\",\"user_id\":\"\",\"status\":\"online\"}") },
	{ "C2 id too long", "u", BAD("{\"type\":\"presence\",\"user_id\":\"" ID129 "\",\"status\":\"online\"}") },
	{ "C2 control in id", "u", BAD("{\"type\":\"presence\",\"user_id\":\"x\\u0000\",\"status\":\"online\"}") },
	{ "C2 control in id", "u", BAD("{\"type\":\"presence\",\"user_id\":\"x\\n\",\"status\":\"online\"}") },
	{ "C2 C1 control in id", "u", BAD("{\"type\":\"presence\",\"user_id\":\"x\xc2\x85\",\"status\":\"online\"}") },
	{ "R16 no UTF-8", "u", BAD("{\"type\":\"presence\",\"user_id\":\"x\xff\",\"status\":\"online\"}") },
	{ "C3 lone surrogate", "u", BAD("{\"type\":\"presence\",\"user_id\":\"\\ud800\",\"status\":\"online\"}") },
	{ "C3 doubled key", "u", BAD("{\"type\":\"presence\",\"user_id\":\"x\",\"user_id\":\"y\",\"status\":\"online\"}") },
	{ "R16 no status", "u", BAD("{\"type\":\"presence\",\"user_id\":\"x\"}") },
	{ "R16 no such status", "u", BAD("{\"type\":\"presence\",\"user_id\":\"x\",\"status\":\"Online\"}") },
	{ "R16 username no string", "u", BAD("{\"type\":\"presence\",\"user_id\":\"x\",\"username\":{},\"status\":\"online\"}") },
	{ "R16 control in username", "u", BAD("{\"type\":\"presence\",\"user_id\":\"x\",\"username\":\"\\u001b\",\"status\":\"online\"}") },
	{ "C3 too deep", "u", BAD("[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]") },
	{ "R16 nobody named", "b", BAD("{\"message\":{}}") },
	{ "R16 both named", "b", BAD("{\"room_id\":\"r\",\"user_ids\":[\"u\"],\"message\":{}}") },
	{ "R16 both null", "b", BAD("{\"room_id\":null,\"user_ids\":null,\"message\":{}}") },
	{ "C2 room no id", "b", BAD("{\"room_id\":\"\",\"message\":{}}") }, { "C2 room no id", "b", BAD("{\"room_id\":[\"r\"],\"message\":{}}") },
	{ "R16 users no list", "b", BAD("{\"user_ids\":\"u\",\"message\":{}}") },
	{ "R16 one of them no id", "b", BAD("{\"user_ids\":[\"u\",7],\"message\":{}}") },
	{ "R16 no message", "b", BAD("{\"room_id\":\"r\"}") }, { "R16 message no object", "b", BAD("{\"room_id\":\"r\",\"message\":\"m\"}") },
	{ "R16 message null", "b", BAD("{\"room_id\":\"r\",\"message\":null}") },
	{ "C4 the protocol's own type", "b", BAD("{\"user_ids\":[\"u\"],\"message\":{\"type\":\"presence\",\"data\":{}}}") },
	{ "C4 the same, escaped", "b", BAD("{\"user_ids\":[\"u\"],\"message\":{\"type\":\"presenc\\u0065\",\"data\":{}}}") },
	{ "C4 another dialect's", "b", BAD("{\"user_ids\":[\"u\"],\"message\":{\"type\":\"auth.success\",\"data\":{}}}") },
	{ "C4 another dialect's", "b", BAD("{\"user_ids\":[\"u\"],\"message\":{\"type\":\"CONNECT\",\"data\":{}}}") },
	{ "C4 type too long", "b", BAD("{\"user_ids\":[\"u\"],\"message\":{\"type\":\"" ID129 "\"}}") },
	{ "C4 type empty", "b", BAD("{\"user_ids\":[\"u\"],\"message\":{\"type\":\"\"}}") },
	{ "C4 control in type", "b", BAD("{\"user_ids\":[\"u\"],\"message\":{\"type\":\"a\\u0000b\"}}") },
};

static void test_hostile(void)
{
	struct seeds_rig t;

	sr_init(&t);
	sr_line(&t, "nodes ");
	sr_line(&t, "up");
	sr_line(&t, "ready");
	sr_line(&t, "c1 connect u dev=d");
	sr_line(&t, "+2000");
	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
		uint64_t before = t.seeds.counts.refused;

		sr_forget(&t);
		sr_hear(&t, hostile[i].channel[0] == 'u' ? SEEDS_UPDATES : SEEDS_BROADCAST,
			str_of(hostile[i].payload.p, hostile[i].payload.n));
		sr_turn(&t);
		tap_ok(t.seeds.counts.refused == before + 1 && t.commands == 0 && t.heard_n == 0 && engine_valid(t.rig.e),
		       "%s: counted, ignored: %s", hostile[i].clause, hostile[i].payload.p);
	}
	sr_fini(&t);
}

static void test_hostile_long(void)
{
	struct seeds_rig t;
	size_t n = SEEDS_HEARD_BYTES_MAX + 1;
	char *text = malloc(n);

	sr_init(&t);
	sr_line(&t, "nodes ");
	sr_line(&t, "up");
	memset(text, ' ', n);
	memcpy(text, "{\"room_id\":\"r\",\"message\":{}}", 28);
	sr_hear(&t, SEEDS_BROADCAST, str_of(text, n - 1));
	tap_ok(t.seeds.counts.refused == 0 && t.seeds.counts.delivered == 1, "R16: as long as may be");
	sr_hear(&t, SEEDS_BROADCAST, str_of(text, n));
	tap_ok(t.seeds.counts.refused == 1 && t.seeds.counts.delivered == 1, "R16: a byte too long is ignored");
	tap_ok(!seeds_heard(&t.seeds, STR("presence:updates2"), text, 1, t.rig.now), "a channel of others is theirs");
	free(text);
	sr_fini(&t);
}

/* --- many --- */

static void sr_linef(struct seeds_rig *t, const char *fmt, int a, int b)
{
	char line[256];

	snprintf(line, sizeof line, fmt, a, b);
	sr_line(t, line);
}

static void sr_join(struct seeds_rig *t)
{
	sr_line(t, "nodes ");
	sr_line(t, "up");
	sr_line(t, "ready");
}

/* Commands of that beginning since sr_forget(). */
static unsigned count(const struct seeds_rig *t, const char *what)
{
	unsigned n = 0;

	for (const char *p = sr_out(t); (p = strstr(p, what)) != NULL; p++)
		n += p == sr_out(t) || p[-1] == '\n';
	return n;
}

/* 40 users online, one of them away, one offline, over ten minutes: what the bus is given in each second. */
static void test_fresh(bool keys)
{
	struct seeds_rig t;
	unsigned of_user[40] = { 0 }, most = 0, total = 0, offline = 0, least = 99, mean;
	char what[64];

	sr_init(&t);
	t.keys = keys;
	t.rig.config.offline_debounce_ms = 0;
	sr_line(&t, "+1");
	sr_join(&t);
	for (int i = 0; i < 40; i++)
		sr_linef(&t, "c%d connect user-%d dev=d", i, i);
	sr_line(&t, "c41 connect gone dev=d");
	sr_line(&t, "c41 gone");
	sr_line(&t, "c7 set away");
	sr_line(&t, "+2000");
	for (int second = 0; second < 600; second++) {
		sr_forget(&t);
		sr_wait(&t, 1000);
		most = t.commands > most ? t.commands : most;
		total += t.commands;
		offline += count(&t, "SET presence:gone ");
		for (int i = 0; i < 40; i++) {
			snprintf(what, sizeof what, "SET presence:user-%d {", i);
			of_user[i] += count(&t, what);
		}
	}
	mean = total / 40;
	for (int i = 0; i < 40; i++)
		least = of_user[i] < least ? of_user[i] : least;
	if (!keys) {
		tap_is_u64(total, 0, "aims: with redis-keys=off idle users cost no command in ten minutes");
	} else {
		tap_ok(mean == 4 || mean == 3, "aims: one command per idle user in half a TTL (%u in 600 s)", mean);
		tap_ok(least >= 3, "S002 TTL: no key is left out (the least: %u)", least);
		tap_ok(most <= 2, "C5: spread evenly: at most %u in one second", most);
		tap_is_u64(offline, 0, "C5: a key that says offline is left to its end");
	}
	sr_fini(&t);
}

/* No key is ever older than half a TTL and a batch, whoever comes meanwhile. */
static void test_never_lapses(void)
{
	struct seeds_rig t;
	int64_t written_ms[48] = { 0 }, oldest_ms = 0;
	char what[64];

	sr_init(&t);
	t.rig.config.presence_ttl_ms = 20000;
	sr_line(&t, "+1");
	sr_join(&t);
	for (int step = 0; step < 600; step++) {
		if (step % 10 == 0 && step / 10 < 48)
			sr_linef(&t, "c%d connect user-%d dev=d", step / 10, step / 10);
		else
			sr_line(&t, "turn");
		sr_wait(&t, 100);
		for (int i = 0; i < 48 && i <= step / 10; i++) {
			int64_t now_ms = t.rig.now.mono.ms;

			snprintf(what, sizeof what, "SET presence:user-%d {", i);
			if (written_ms[i] == 0 || count(&t, what) > 0)
				written_ms[i] = now_ms;
			if (now_ms - written_ms[i] > oldest_ms)
				oldest_ms = now_ms - written_ms[i];
		}
	}
	tap_ok(oldest_ms <= 10200, "S002 TTL: the oldest key was %lld ms old, of 20000", (long long)oldest_ms);
	sr_fini(&t);
}

static void test_fading(void)
{
	struct seeds_rig t;

	sr_init(&t);
	sr_line(&t, "+1");
	sr_join(&t);
	sr_line(&t, "+2000");
	sr_line(&t, "hear presence:updates {\"type\":\"presence\",\"user_id\":\"x\",\"status\":\"online\"}");
	sr_line(&t, "+200000");
	sr_line(&t, "hear presence:updates {\"type\":\"presence\",\"user_id\":\"y\",\"status\":\"online\"}");
	sr_line(&t, "+200000");
	sr_line(&t, "hear presence:updates {\"type\":\"presence\",\"user_id\":\"y\",\"status\":\"online\"}");
	sr_line(&t, "who x");
	tap_is_str(t.heard, "= x online 1\n", "C5 believed: for presence-ttl at least, not repeated");
	sr_line(&t, "+205002");
	tap_ok(count(&t, "PUBLISH presence:updates {\"type\":\"presence\",\"user_id\":\"x\",\"username\":\"x\",\"status\":\"offline\"") == 1 &&
	       count(&t, "SET") == 0, "C5 believed: for two at most; that is said, and no key is written");
	sr_line(&t, "who y");
	tap_is_str(t.heard, "= y online 1\n", "C5 believed: who was repeated stays");
	sr_line(&t, "down");
	sr_line(&t, "+900000");
	sr_line(&t, "who y");
	tap_is_str(t.heard, "= y online 1\n", "C5: while nothing is heard nothing fades");
	sr_fini(&t);
}

static void test_paced(void)
{
	struct seeds_rig t;

	sr_init(&t);
	sr_line(&t, "+1");
	sr_join(&t);
	for (int i = 0; i < 60; i++)
		sr_linef(&t, "c%d connect user-%d dev=d", i, i);
	sr_line(&t, "+2000");
	sr_line(&t, "room 7");
	sr_line(&t, "rewrite");
	tap_is_u64(t.commands, 7, "C5: written anew as far as the bus has room");
	tap_ok(seeds_deadline(&t.seeds).ms == t.rig.now.mono.ms + SEEDS_RETRY_MS, "C5: and tried again soon, not at once");
	t.space = SEEDS_SPARE_BYTES;
	t.room = -1;
	sr_line(&t, "+100");
	tap_is_u64(t.commands, 0, "C5: the bus' last room is left to others");
	t.space = (size_t)1 << 24;
	sr_line(&t, "+100");
	tap_is_u64(t.commands, 121 - 7, "C5: the rest follows: an update and a key for each, and the roster");
	tap_ok(seeds_idle(&t.seeds), "C5: nothing is left to be said");
	sr_fini(&t);
}

/* Without room nothing is due before it is tried again: the loop does not go round for it. */
static void test_no_room(void)
{
	struct seeds_rig t;

	sr_init(&t);
	sr_line(&t, "+1");
	sr_join(&t);
	sr_line(&t, "nodes a"); /* who tells the roster */
	sr_line(&t, "+2000");
	sr_line(&t, "room 0");
	sr_line(&t, "c0 connect ann dev=d");
	sr_line(&t, "+3");
	seeds_roster(&t.seeds);
	tap_ok(seeds_deadline(&t.seeds).ms > t.rig.now.mono.ms, "C5: news of the roster waits, too, until there may be room");
	sr_fini(&t);
}

/* The record of one who was forgotten is given to another, while the first's going waits for the bus. */
static void test_numbers_again(void)
{
	struct seeds_rig t;

	sr_init(&t);
	t.rig.config.users_max = 1;
	t.rig.config.offline_debounce_ms = 0;
	sr_line(&t, "+1");
	sr_join(&t);
	sr_line(&t, "c1 connect u dev=d");
	sr_line(&t, "+2000");
	sr_line(&t, "room 0");
	sr_line(&t, "c1 gone");
	sr_line(&t, "c1 connect v dev=d");
	sr_line(&t, "room -1");
	sr_line(&t, "+100");
	tap_ok(count(&t, "PUBLISH presence:updates {\"type\":\"presence\",\"user_id\":\"v\",\"username\":\"v\",\"status\":\"online\"") == 1 &&
	       count(&t, "SET presence:v ") == 1 && strstr(sr_out(&t), "\"u\",\"status") == NULL,
	       "a number that is given again is somebody else");
	sr_fini(&t);
}

static void test_bounds(void)
{
	struct seeds_rig t;
	struct region r;
	struct bus bus = { 0 };
	struct seeds_config c = { .users_max = 64, .keys = true, .random = { 1, 2 } };
	struct seeds s;

	sr_init(&t);
	sr_line(&t, "+1");
	tap_ok(seeds_deadline(&t.seeds).ms == INT64_MAX, "before the bus is up there is nothing to do");
	sr_line(&t, "c1 connect u dev=d");
	tap_is_u64(t.seeds.counts.lost, 1, "clients that come while the bus is down are counted, not kept");
	sr_join(&t);
	sr_line(&t, "room 0");
	for (int i = 0; i < SEEDS_HAPPENINGS_MAX + 5; i++)
		seeds_note(&t.seeds, NOTE_CONNECTED, STR("u"), STR("d"), t.rig.now);
	sr_line(&t, "turn");
	tap_is_u64(t.seeds.counts.lost, 6, "so many wait for room, and no more");
	sr_line(&t, "room -1");
	sr_line(&t, "+20");
	tap_is_u64(count(&t, "PUBLISH ws.client.ready"), SEEDS_HAPPENINGS_MAX, "and all of these are told then");
	t.seeds.roster_room_bytes = 60;
	sr_line(&t, "c2 connect somebody-with-a-long-name dev=d");
	sr_line(&t, "+1000");
	sr_line(&t, "c3 connect another-with-a-long-name dev=d");
	sr_line(&t, "+1000");
	tap_ok(t.seeds.counts.rosters_too_long == 2 && t.log_lines == 1 && count(&t, "PUBLISH presence.user.online") == 0,
	       "a roster that is too long is counted, and logged once");
	sr_fini(&t);
	region_init(&r, NULL, 0);
	seeds_init(&s, &r, &c, &bus);
	printf("# %zu bytes for 64 users", region_used(&r));
	c.users_max = 21000;
	region_init(&r, NULL, 0);
	seeds_init(&s, &r, &c, &bus);
	printf(", %zu for 21000\n", region_used(&r));
	tap_ok(region_used(&r) < 2 << 20, "all of it for 21000 users is under 2 MiB");
}

int main(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		run_transcript(cases[i].clause, cases[i].name, cases[i].transcript);
	test_hostile();
	test_hostile_long();
	test_fresh(true);
	test_fresh(false);
	test_never_lapses();
	test_fading();
	test_paced();
	test_no_room();
	test_numbers_again();
	test_bounds();
	return tap_done();
}

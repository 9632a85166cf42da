/*
 * cluster/letter: what is written is read again, at every limit; what anybody else may put on our channels is
 * refused, with nothing given out (RELIABILITY R16, E).
 */
#include "dialect/dialect.h"
#include "feed.h"
#include "letter_rig.h"
#include "rng.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define NODE "\"n\":\"node-1.A_z\""
#define EPOCH "\"e\":\"fedcba9876543210\""
#define HEAD(type) "{\"t\":\"" type "\"," NODE "," EPOCH ",\"s\":9007199254740992"
#define USERS(list) HEAD("users") ",\"u\":[" list "]}"
#define SAY(members) HEAD("say") ",\"m\":{" members "}}"
#define CALL(type) "\"t\":\"" type "\",\"u\":\"bob\",\"to\":\"eve\",\"c\":\"call-1\""
#define GONE(members) HEAD("gone") "," members "}"
#define KEY "\"0123456789abcdef\""

static struct letter_reader *reader;
static char out_mem[LETTER_BYTES_MAX + 64], text_mem[4 * LETTER_BYTES_MAX];

static enum letter_result read_guarded(const char *text, size_t n, struct letter *out)
{
	return letter_read(reader, feed_guarded(text, n), n, out);
}

static bool untouched(const void *mem, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((const unsigned char *)mem)[i] != 0xa5)
			return false;
	return true;
}

/* Is it refused so, with nothing given out? */
static bool refused(const char *text, size_t n, enum letter_result want)
{
	struct letter l;
	struct peer_user u;

	memset(&l, 0xa5, sizeof(l));
	memset(&u, 0xa5, sizeof(u));
	return read_guarded(text, n, &l) == want && untouched(&l, sizeof(l)) && !letter_next_user(reader, &u) &&
	       untouched(&u, sizeof(u));
}

/* Read and written anew it is `want`. */
static bool again(const char *text, size_t n, const char *want)
{
	struct letter l;
	struct str s;

	if (read_guarded(text, n, &l) != LETTER_OK)
		return false;
	s = rig_again(reader, &l, out_mem, sizeof(out_mem));
	if (!str_absent(s) && str_eq(s, str_of(want, strlen(want))))
		return true;
	printf("# got  %.*s\n# want %s\n", (int)s.n, s.p == NULL ? "" : s.p, want);
	return false;
}

/* Of the text: what the writer must have counted. */
static uint32_t tokens_of(struct str s)
{
	static struct json_tok toks[JSON_TOKENS_MAX];
	static char copy[LETTER_BYTES_MAX];
	struct json j;

	memcpy(copy, s.p, s.n);
	json_init(&j, toks, JSON_TOKENS_MAX);
	return json_parse(&j, copy, s.n) == JSON_OK ? j.tok_count : 0;
}

/* --- what is taken --- */

static const struct taken { const char *name, *text, *want; } taken[] = {
	{ "hello", HEAD("hello") "}", NULL },
	{ "beat", HEAD("beat") "}", NULL },
	{ "bye", HEAD("bye") "}", NULL },
	{ "gone", GONE("\"g\":\"node-2\",\"ge\":" KEY ",\"gs\":9007199254740992"), NULL },
	{ "gone: who said nothing", GONE("\"g\":\"a\",\"ge\":\"0000000000000000\",\"gs\":0"), NULL },
	{ "gone: of others no matter", HEAD("bye") ",\"g\":1,\"ge\":1,\"gs\":-1}", HEAD("bye") "}" },
	{ "sync from the start", HEAD("sync") ",\"c\":0}", NULL },
	{ "sync from the last", HEAD("sync") ",\"c\":4294967294}", NULL },
	{ "state: the last piece", HEAD("state") ",\"u\":[],\"c\":null}", NULL },
	{ "state: the first of many", HEAD("state") ",\"f\":true,\"u\":[{\"i\":\"a\"}],\"c\":17}", NULL },
	{ "state: in any order", "{\"c\":17,\"u\":[{\"i\":\"a\"}],\"f\":false,\"s\":1," EPOCH "," NODE ",\"t\":\"state\"}",
	  "{\"t\":\"state\"," NODE "," EPOCH ",\"s\":1,\"u\":[{\"i\":\"a\"}],\"c\":17}" },
	{ "a node of one byte, no letter of users yet", "{\"t\":\"beat\",\"n\":\"a\",\"e\":\"0000000000000000\",\"s\":0}", NULL },
	{ "users: none", USERS(""), NULL },
	{ "user: nothing but an id", USERS("{\"i\":\"a\"},{\"i\":\"b\"}"), NULL },
	{ "user: all but a profile", USERS("{\"i\":\"a\",\"n\":\"An\",\"s\":1768392000123,\"r\":[\"x\",\"y\"],\"l\":[[\"d\",0,false],"
	  "[\"e\",5,true," KEY ",1768392000123]]}"), NULL },
	{ "user: a profile with nothing set any more", USERS("{\"i\":\"a\",\"p\":{\"v\":\"ffffffffffffffff\"}}"), NULL },
	{ "user: a profile", USERS("{\"i\":\"a\",\"p\":{\"v\":" KEY ",\"o\":\"dnd\",\"b\":4294967295,\"c\":\"\",\"e\":-1,"
	  "\"m\":\"{\\\"k\\\":[\\\"\\\\n\\\"]}\"}}"), NULL },
	{ "user: marked", USERS("{\"i\":\"a\",\"s\":1,\"g\":5000,\"p\":{\"v\":" KEY ",\"d\":\"away\",\"dv\":" KEY "}}"), NULL },
	{ "user: marked before", USERS("{\"i\":\"a\",\"p\":{\"v\":" KEY ",\"d\":\"online\",\"dv\":\"0000000000000001\"}}"), NULL },
	{ "user: busy", USERS("{\"i\":\"a\",\"p\":{\"v\":" KEY ",\"o\":\"busy\"}}"), NULL },
	{ "user: invisible", USERS("{\"i\":\"a\",\"p\":{\"v\":" KEY ",\"o\":\"invisible\",\"sc\":\"x\",\"se\":9007199254740992,"
	  "\"sm\":\"{}\",\"ss\":-9007199254740992,\"h\":9007199254740992}}"), NULL },
	{ "user: what is shown of the visible is no matter", USERS("{\"i\":\"a\",\"p\":{\"v\":" KEY ",\"sc\":1,\"h\":-1}}"),
	  USERS("{\"i\":\"a\",\"p\":{\"v\":" KEY "}}") },
	{ "user: empty lists", USERS("{\"i\":\"a\",\"r\":[],\"l\":[]}"), USERS("{\"i\":\"a\"}") },
	{ "user: ids that a format or a shell would mind", USERS("{\"i\":\"%s%n\",\"n\":\"' $(x) \\\\ \\\" \xf0\x9d\x84\x9e\"}"),
	  NULL },
	{ "user: escaped", USERS("{\"\\u0069\":\"\\u0061\\ud834\\udd1e\"}"), USERS("{\"i\":\"a\xf0\x9d\x84\x9e\"}") },
	{ "user: control characters and NUL in a custom status", USERS("{\"i\":\"a\",\"p\":{\"v\":" KEY ",\"c\":\"\\u0000\\n\"}}"),
	  NULL },
	{ "user: members and elements of a later version", USERS("{\"i\":\"a\",\"zz\":[{}],\"l\":[[\"e\",5,true," KEY ",1,{\"x\":2}]],"
	  "\"p\":{\"v\":" KEY ",\"new\":null}}"),
	  USERS("{\"i\":\"a\",\"l\":[[\"e\",5,true," KEY ",1]],\"p\":{\"v\":" KEY "}}") },
	{ "blanks, integers in other words, members not known", " {\"t\":\"beat\" ,\n" NODE "," EPOCH ",\"s\":1e2,\"u\":1,\"m\":{}} ",
	  "{\"t\":\"beat\"," NODE "," EPOCH ",\"s\":100}" },
	{ "typing in a room", SAY("\"t\":\"typing\",\"u\":\"bob\",\"r\":\"x\",\"on\":true"), NULL },
	{ "typing: all", SAY("\"t\":\"typing\",\"u\":\"bob\",\"r\":\"x\",\"dm\":true,\"on\":true,\"us\":[\"a\",\"b\"]"), NULL },
	{ "typing in a channel", SAY("\"t\":\"typing\",\"u\":\"bob\",\"r\":\"x\",\"dm\":false,\"on\":true"), NULL },
	{ "typing no more, to some, no room", SAY("\"t\":\"typing\",\"u\":\"bob\",\"us\":[\"a\"]"), NULL },
	{ "receipt: delivered", SAY("\"t\":\"receipt\",\"u\":\"bob\",\"r\":\"x\",\"ms\":[\"m\"]"), NULL },
	{ "receipt: all", SAY("\"t\":\"receipt\",\"u\":\"bob\",\"r\":\"x\",\"dm\":true,\"on\":true,\"ms\":[\"m\",\"n\"],"
	  "\"us\":[\"al\"],\"to\":\"eve\""), NULL },
	{ "broadcast to all", SAY("\"t\":\"broadcast\",\"all\":true,\"b\":\"null\""), NULL },
	{ "broadcast to users", SAY("\"t\":\"broadcast\",\"us\":[\"a\",\"b\"],\"x\":[\"b\"],\"ty\":\"deploy\",\"b\":\"{\\\"a\\\":1}\""), NULL },
	{ "broadcast to nobody", SAY("\"t\":\"broadcast\",\"b\":\"1\",\"us\":[]"), NULL },
	{ "broadcast to a room", SAY("\"t\":\"broadcast\",\"r\":\"x\",\"b\":\"\\\"\\\\u0000\\\"\""), NULL },
	{ "broadcast to a topic", SAY("\"t\":\"broadcast\",\"tp\":32,\"x\":[\"a\"],\"b\":\"[]\""), NULL },
	{ "close", SAY("\"t\":\"close\",\"u\":\"bob\",\"k\":" KEY), NULL },
	{ "kick", SAY("\"t\":\"kick\",\"u\":\"bob\""), NULL },
	{ "call: offer", SAY(CALL("offer") ",\"d\":\"phone\",\"b\":\"\\\"v=0\\\\r\\\\n\\\"\""), NULL },
	{ "call: offer of nothing", SAY(CALL("offer") ",\"d\":\"phone\""), NULL },
	{ "call: rang", SAY(CALL("rang") ",\"q\":4294967295"), NULL },
	{ "call: rang nowhere", SAY(CALL("rang")), NULL },
	{ "call: answer", SAY(CALL("answer") ",\"k\":" KEY ",\"b\":\"{\\\"sdp\\\":\\\"v\\\"}\""), NULL },
	{ "call: answered", SAY(CALL("answered") ",\"k\":" KEY), NULL },
	{ "call: ice", SAY(CALL("ice") ",\"b\":\"null\""), NULL },
	{ "call: ice, none", SAY(CALL("ice")), NULL },
	{ "kick: one connection", SAY("\"t\":\"kick\",\"u\":\"bob\",\"k\":\"00000000000000ff\""), NULL },
	{ "call: ended", SAY(CALL("ended") ",\"w\":\"timeout\""), NULL },
	{ "message: members of other types are no matter", SAY("\"t\":\"kick\",\"u\":\"bob\",\"on\":1,\"b\":\"{\",\"r\":null"),
	  SAY("\"t\":\"kick\",\"u\":\"bob\"") },
};

/* Every true prefix is no letter, nor is it with something behind. */
static bool cut_anywhere(const char *text)
{
	size_t n = strlen(text);

	while (n > 0 && text[n - 1] == ' ')
		n--;
	for (size_t i = 0; i < n; i++)
		if (!refused(text, i, LETTER_BAD_JSON))
			return false;
	memcpy(text_mem, text, n);
	text_mem[n] = '\0';
	text_mem[n + 1] = '}';
	return refused(text_mem, n + 1, LETTER_BAD_JSON) && refused(text_mem, n + 2, LETTER_BAD_JSON);
}

/* One byte wrong: whatever is taken is the same when it was written and read again. */
static bool one_byte_wrong(const char *text)
{
	static const char bytes[] = { 0, '"', '\\', '0', '9', '-', '.', ',', '{', '[', ' ', 'e', 'z', (char)0x80, (char)0xff };
	size_t n = strlen(text);
	bool ok = true;

	for (size_t i = 0; i < n && ok; i++)
		for (size_t b = 0; b < sizeof(bytes) && ok; b++) {
			static char first[LETTER_BYTES_MAX];
			struct letter l;
			struct str s;

			memcpy(text_mem, text, n);
			text_mem[i] = bytes[b];
			if (read_guarded(text_mem, n, &l) != LETTER_OK)
				continue;
			s = rig_again(reader, &l, first, sizeof(first) - 1);
			ok = !str_absent(s);
			if (ok) {
				first[s.n] = '\0';
				ok = again(first, s.n, first);
			}
		}
	return ok;
}

static void test_taken(void)
{
	for (size_t i = 0; i < COUNT(taken); i++) {
		const struct taken *t = &taken[i];

		tap_ok(again(t->text, strlen(t->text), t->want == NULL ? t->text : t->want), "%s", t->name);
		tap_ok(cut_anywhere(t->text), "R16: %s: cut at every byte, or with more behind", t->name);
		tap_ok(one_byte_wrong(t->text), "R16: %s: every byte wrong in turn", t->name);
	}
}

/* --- what is not --- */

#define NO_HEAD(members) "{" members "}"
#define LINK(link) USERS("{\"i\":\"a\",\"l\":[" link "]}")
#define PROFILE(members) USERS("{\"i\":\"a\",\"p\":{\"v\":" KEY "," members "}}")

static const struct hostile { const char *name, *text; } no_json[] = {
	{ "empty", "" },
	{ "blank", " \n" },
	{ "J3: no value between commas", USERS("{\"i\":\"a\"},,{\"i\":\"b\"}") },
	{ "J3: two letters", HEAD("beat") "}" HEAD("beat") "}" },
	{ "J5: a raw control character", USERS("{\"i\":\"a\nb\"}") },
	{ "J5: not UTF-8", USERS("{\"i\":\"\xff\xfe\"}") },
	{ "J5: overlong", USERS("{\"i\":\"\xc0\xaf\"}") },
	{ "J5: a surrogate in UTF-8", USERS("{\"i\":\"\xed\xa0\x80\"}") },
	{ "J6: a lone surrogate", USERS("{\"i\":\"\\ud800\"}") },
	{ "J6: NUL in a key", USERS("{\"i\\u0000\":\"a\"}") },
	{ "J7: a member twice", HEAD("beat") ",\"s\":2}" },
	{ "J7: a member twice, once escaped", USERS("{\"i\":\"a\",\"\\u0069\":\"b\"}") },
	{ "J7: twice in a message", SAY("\"t\":\"kick\",\"u\":\"bob\",\"u\":\"eve\"") },
	{ "J7: twice though not known", HEAD("beat") ",\"zz\":2,\"zz\":2}" },
	{ "J4: 01", "{\"t\":\"beat\"," NODE "," EPOCH ",\"s\":01}" },
	{ "J4: NaN", "{\"t\":\"beat\"," NODE "," EPOCH ",\"s\":NaN}" },
	{ "%s%n", "%s%n" },
	{ "RESP", "*3\r\n$7\r\nmessage\r\n" },
}, bad[] = {
	{ "null", "null" },
	{ "a list", "[" HEAD("beat") "}]" },
	{ "a string", "\"beat\"" },
	{ "an empty object", "{}" },
	{ "type missing", NO_HEAD(NODE "," EPOCH ",\"s\":1") },
	{ "type unknown", HEAD("Beat") "}" },
	{ "type empty", HEAD("") "}" },
	{ "type with NUL", HEAD("beat\\u0000") "}" },
	{ "type %s", HEAD("%s") "}" },
	{ "type no string", NO_HEAD("\"t\":1," NODE "," EPOCH ",\"s\":1") },
	{ "node missing", NO_HEAD("\"t\":\"beat\"," EPOCH ",\"s\":1") },
	{ "node null", NO_HEAD("\"t\":\"beat\",\"n\":null," EPOCH ",\"s\":1") },
	{ "node empty", NO_HEAD("\"t\":\"beat\",\"n\":\"\"," EPOCH ",\"s\":1") },
	{ "node with a blank", NO_HEAD("\"t\":\"beat\",\"n\":\"a b\"," EPOCH ",\"s\":1") },
	{ "node with a colon", NO_HEAD("\"t\":\"beat\",\"n\":\"a:b\"," EPOCH ",\"s\":1") },
	{ "node with a star", NO_HEAD("\"t\":\"beat\",\"n\":\"*\"," EPOCH ",\"s\":1") },
	{ "node with NUL", NO_HEAD("\"t\":\"beat\",\"n\":\"a\\u0000\"," EPOCH ",\"s\":1") },
	{ "node with CR LF", NO_HEAD("\"t\":\"beat\",\"n\":\"a\\r\\n\"," EPOCH ",\"s\":1") },
	{ "node not ASCII", NO_HEAD("\"t\":\"beat\",\"n\":\"\xc3\xa9\"," EPOCH ",\"s\":1") },
	{ "node of 65 bytes", NO_HEAD("\"t\":\"beat\",\"n\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
	  EPOCH ",\"s\":1") },
	{ "epoch missing", NO_HEAD("\"t\":\"beat\"," NODE ",\"s\":1") },
	{ "epoch a number", NO_HEAD("\"t\":\"beat\"," NODE ",\"e\":1,\"s\":1") },
	{ "epoch short", NO_HEAD("\"t\":\"beat\"," NODE ",\"e\":\"123456789abcdef\",\"s\":1") },
	{ "epoch long", NO_HEAD("\"t\":\"beat\"," NODE ",\"e\":\"0123456789abcdef0\",\"s\":1") },
	{ "epoch upper case", NO_HEAD("\"t\":\"beat\"," NODE ",\"e\":\"0123456789ABCDEF\",\"s\":1") },
	{ "epoch 0x", NO_HEAD("\"t\":\"beat\"," NODE ",\"e\":\"0x23456789abcdef\",\"s\":1") },
	{ "seq missing", NO_HEAD("\"t\":\"beat\"," NODE "," EPOCH) },
	{ "seq a string", NO_HEAD("\"t\":\"beat\"," NODE "," EPOCH ",\"s\":\"1\"") },
	{ "seq negative", NO_HEAD("\"t\":\"beat\"," NODE "," EPOCH ",\"s\":-1") },
	{ "seq a fraction", NO_HEAD("\"t\":\"beat\"," NODE "," EPOCH ",\"s\":1.5") },
	{ "seq 2^53 + 1", NO_HEAD("\"t\":\"beat\"," NODE "," EPOCH ",\"s\":9007199254740993") },
	{ "seq 2^64", NO_HEAD("\"t\":\"beat\"," NODE "," EPOCH ",\"s\":18446744073709551616") },
	{ "seq 1e999", NO_HEAD("\"t\":\"beat\"," NODE "," EPOCH ",\"s\":1e999") },
	{ "seq true", NO_HEAD("\"t\":\"beat\"," NODE "," EPOCH ",\"s\":true") },
	{ "gone: of nobody", GONE("\"ge\":" KEY ",\"gs\":1") },
	{ "gone: node null", GONE("\"g\":null,\"ge\":" KEY ",\"gs\":1") },
	{ "gone: node empty", GONE("\"g\":\"\",\"ge\":" KEY ",\"gs\":1") },
	{ "gone: node with a colon", GONE("\"g\":\"a:b\",\"ge\":" KEY ",\"gs\":1") },
	{ "gone: node with NUL", GONE("\"g\":\"a\\u0000\",\"ge\":" KEY ",\"gs\":1") },
	{ "gone: node of 65 bytes", GONE("\"g\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"ge\":" KEY ",\"gs\":1") },
	{ "gone: epoch missing", GONE("\"g\":\"a\",\"gs\":1") },
	{ "gone: epoch a number", GONE("\"g\":\"a\",\"ge\":1,\"gs\":1") },
	{ "gone: epoch short", GONE("\"g\":\"a\",\"ge\":\"123456789abcdef\",\"gs\":1") },
	{ "gone: epoch upper case", GONE("\"g\":\"a\",\"ge\":\"0123456789ABCDEF\",\"gs\":1") },
	{ "gone: seq missing", GONE("\"g\":\"a\",\"ge\":" KEY) },
	{ "gone: seq null", GONE("\"g\":\"a\",\"ge\":" KEY ",\"gs\":null") },
	{ "gone: seq a string", GONE("\"g\":\"a\",\"ge\":" KEY ",\"gs\":\"1\"") },
	{ "gone: seq negative", GONE("\"g\":\"a\",\"ge\":" KEY ",\"gs\":-1") },
	{ "gone: seq a fraction", GONE("\"g\":\"a\",\"ge\":" KEY ",\"gs\":0.5") },
	{ "gone: seq 2^53 + 1", GONE("\"g\":\"a\",\"ge\":" KEY ",\"gs\":9007199254740993") },
	{ "sync without a cursor", HEAD("sync") "}" },
	{ "cursor negative", HEAD("sync") ",\"c\":-1}" },
	{ "cursor 2^32 - 1", HEAD("sync") ",\"c\":4294967295}" },
	{ "cursor 2^32", HEAD("sync") ",\"c\":4294967296}" },
	{ "cursor a string", HEAD("sync") ",\"c\":\"0\"}" },
	{ "state without a cursor", HEAD("state") ",\"u\":[]}" },
	{ "state without users", HEAD("state") ",\"c\":null}" },
	{ "first a number", HEAD("state") ",\"f\":1,\"u\":[],\"c\":null}" },
	{ "users missing", HEAD("users") "}" },
	{ "users an object", HEAD("users") ",\"u\":{}}" },
	{ "users null", HEAD("users") ",\"u\":null}" },
	{ "user a string", USERS("\"a\"") },
	{ "user null", USERS("null") },
	{ "user a list", USERS("[]") },
	{ "the last user of many is bad", USERS("{\"i\":\"a\"},{\"i\":\"b\"},{\"i\":\"\"}") },
	{ "user_id missing", USERS("{\"n\":\"a\"}") },
	{ "user_id empty", USERS("{\"i\":\"\"}") },
	{ "user_id a number", USERS("{\"i\":1}") },
	{ "user_id with NUL", USERS("{\"i\":\"a\\u0000b\"}") },
	{ "user_id with a line end", USERS("{\"i\":\"a\\n\"}") },
	{ "user_id with ESC", USERS("{\"i\":\"\\u001b[31m\"}") },
	{ "user_id with DEL", USERS("{\"i\":\"a\x7f\"}") },
	{ "user_id with a C1 control", USERS("{\"i\":\"a\\u0085\"}") },
	{ "username null", USERS("{\"i\":\"a\",\"n\":null}") },
	{ "username empty", USERS("{\"i\":\"a\",\"n\":\"\"}") },
	{ "username with a tab", USERS("{\"i\":\"a\",\"n\":\"\\t\"}") },
	{ "last_seen null", USERS("{\"i\":\"a\",\"s\":null}") },
	{ "last_seen a string", USERS("{\"i\":\"a\",\"s\":\"2026-01-14T12:00:00.123Z\"}") },
	{ "last_seen the value that means none", USERS("{\"i\":\"a\",\"s\":-9223372036854775808}") },
	{ "last_seen 2^63 - 1", USERS("{\"i\":\"a\",\"s\":9223372036854775807}") },
	{ "last_seen 2^53 + 1", USERS("{\"i\":\"a\",\"s\":9007199254740993}") },
	{ "last_seen -2^53 - 1", USERS("{\"i\":\"a\",\"s\":-9007199254740993}") },
	{ "last_seen a fraction", USERS("{\"i\":\"a\",\"s\":0.1}") },
	{ "rooms a string", USERS("{\"i\":\"a\",\"r\":\"x\"}") },
	{ "rooms of a room", USERS("{\"i\":\"a\",\"r\":[[\"x\"]]}") },
	{ "room empty", USERS("{\"i\":\"a\",\"r\":[\"x\",\"\"]}") },
	{ "links an object", USERS("{\"i\":\"a\",\"l\":{\"d\":1}}") },
	{ "link a string", LINK("\"d\"") },
	{ "link an object", LINK("{\"d\":0,\"e\":false}") },
	{ "link empty", LINK("[]") },
	{ "link of two", LINK("[\"d\",0]") },
	{ "link of four", LINK("[\"d\",0,false," KEY "]") },
	{ "link without a device", LINK("[null,0,false]") },
	{ "link of an empty device", LINK("[\"\",0,false]") },
	{ "link of a device with NUL", LINK("[\"d\\u0000\",0,false]") },
	{ "link of no dialect", LINK("[\"d\",6,false]") },
	{ "link of dialect 256", LINK("[\"d\",256,false]") },
	{ "link of dialect -1", LINK("[\"d\",-1,false]") },
	{ "link away 0", LINK("[\"d\",0,0]") },
	{ "link with key 0", LINK("[\"d\",0,false,\"0000000000000000\",1]") },
	{ "link with a number for a key", LINK("[\"d\",0,false,1,1]") },
	{ "link with key null", LINK("[\"d\",0,false,null,1]") },
	{ "link never connected", LINK("[\"d\",0,false," KEY ",null]") },
	{ "the second link is bad", LINK("[\"d\",0,false],[\"d\",0]") },
	{ "profile null", USERS("{\"i\":\"a\",\"p\":null}") },
	{ "profile a list", USERS("{\"i\":\"a\",\"p\":[]}") },
	{ "profile without a version", USERS("{\"i\":\"a\",\"p\":{\"o\":\"busy\"}}") },
	{ "profile of version 0", USERS("{\"i\":\"a\",\"p\":{\"v\":\"0000000000000000\"}}") },
	{ "profile of version 2^64", USERS("{\"i\":\"a\",\"p\":{\"v\":\"10000000000000000\"}}") },
	{ "override online", PROFILE("\"o\":\"online\"") },
	{ "override away", PROFILE("\"o\":\"away\"") },
	{ "override offline", PROFILE("\"o\":\"offline\"") },
	{ "override unknown", PROFILE("\"o\":\"Busy\"") },
	{ "override a number", PROFILE("\"o\":3") },
	{ "override_by 2^32", PROFILE("\"b\":4294967296") },
	{ "override_by negative", PROFILE("\"b\":-1") },
	{ "custom null", PROFILE("\"c\":null") },
	{ "custom a number", PROFILE("\"c\":1") },
	{ "expires a string", PROFILE("\"c\":\"x\",\"e\":\"1\"") },
	{ "metadata an object, not text", PROFILE("\"m\":{}") },
	{ "metadata empty", PROFILE("\"m\":\"\"") },
	{ "metadata blank", PROFILE("\"m\":\" \"") },
	{ "metadata a list", PROFILE("\"m\":\"[]\"") },
	{ "metadata null", PROFILE("\"m\":\"null\"") },
	{ "metadata with blanks around", PROFILE("\"m\":\" {}\"") },
	{ "metadata with blanks behind", PROFILE("\"m\":\"{} \"") },
	{ "metadata cut", PROFILE("\"m\":\"{\\\"a\\\":\"") },
	{ "metadata that closes ours", PROFILE("\"m\":\"{}}\"") },
	{ "metadata with a member twice", PROFILE("\"m\":\"{\\\"a\\\":1,\\\"\\\\u0061\\\":2}\"") },
	{ "metadata with a lone surrogate", PROFILE("\"m\":\"{\\\"a\\\":\\\"\\\\ud800\\\"}\"") },
	{ "metadata with a raw NUL", PROFILE("\"m\":\"{}\\u0000\"") },
	{ "metadata with a raw line end in a string", PROFILE("\"m\":\"{\\\"a\\\":\\\"\\n\\\"}\"") },
	{ "shown custom a list", PROFILE("\"o\":\"invisible\",\"sc\":[]") },
	{ "shown metadata no JSON", PROFILE("\"o\":\"invisible\",\"sm\":\"{\"") },
	{ "hidden for less than nothing", PROFILE("\"o\":\"invisible\",\"h\":-1") },
	{ "hidden for 2^63 - 1", PROFILE("\"o\":\"invisible\",\"h\":9223372036854775807") },
	{ "shown last_seen null", PROFILE("\"o\":\"invisible\",\"ss\":null") },
	{ "message missing", HEAD("say") "}" },
	{ "message a list", HEAD("say") ",\"m\":[]}" },
	{ "message empty", SAY("") },
	{ "message of no type known", SAY("\"t\":\"sing\",\"u\":\"bob\"") },
	{ "message type a number", SAY("\"t\":0,\"u\":\"bob\"") },
	{ "typing of nobody", SAY("\"t\":\"typing\",\"r\":\"x\"") },
	{ "typing nowhere", SAY("\"t\":\"typing\",\"u\":\"bob\"") },
	{ "typing nowhere, to none", SAY("\"t\":\"typing\",\"u\":\"bob\",\"us\":[]") },
	{ "typing 1", SAY("\"t\":\"typing\",\"u\":\"bob\",\"r\":\"x\",\"on\":1") },
	{ "typing in a kind of room", SAY("\"t\":\"typing\",\"u\":\"bob\",\"r\":\"x\",\"dm\":\"dm\"") },
	{ "typing to a number", SAY("\"t\":\"typing\",\"u\":\"bob\",\"r\":\"x\",\"us\":[1]") },
	{ "receipt of no message", SAY("\"t\":\"receipt\",\"u\":\"bob\",\"r\":\"x\",\"ms\":[]") },
	{ "receipt without messages", SAY("\"t\":\"receipt\",\"u\":\"bob\",\"r\":\"x\"") },
	{ "receipt nowhere", SAY("\"t\":\"receipt\",\"u\":\"bob\",\"ms\":[\"m\"]") },
	{ "receipt to an empty id", SAY("\"t\":\"receipt\",\"u\":\"bob\",\"r\":\"x\",\"ms\":[\"m\"],\"to\":\"\"") },
	{ "broadcast to nobody named", SAY("\"t\":\"broadcast\",\"b\":\"1\"") },
	{ "broadcast without data", SAY("\"t\":\"broadcast\",\"all\":true") },
	{ "broadcast of raw data", SAY("\"t\":\"broadcast\",\"all\":true,\"b\":{}") },
	{ "broadcast of no JSON", SAY("\"t\":\"broadcast\",\"all\":true,\"b\":\"1}\"") },
	{ "broadcast of two values", SAY("\"t\":\"broadcast\",\"all\":true,\"b\":\"1,\\\"x\\\":2\"") },
	{ "broadcast to topic 0", SAY("\"t\":\"broadcast\",\"tp\":0,\"b\":\"1\"") },
	{ "broadcast to the roster", SAY("\"t\":\"broadcast\",\"tp\":64,\"b\":\"1\"") },
	{ "broadcast to topic 256", SAY("\"t\":\"broadcast\",\"tp\":256,\"b\":\"1\"") },
	{ "broadcast with a dialect's own type", SAY("\"t\":\"broadcast\",\"all\":true,\"ty\":\"presence.update\",\"b\":\"1\"") },
	{ "broadcast with an empty type", SAY("\"t\":\"broadcast\",\"all\":true,\"ty\":\"\",\"b\":\"1\"") },
	{ "broadcast but to a number", SAY("\"t\":\"broadcast\",\"all\":true,\"x\":[1],\"b\":\"1\"") },
	{ "mark busy", PROFILE("\"d\":\"busy\"") },
	{ "mark offline", PROFILE("\"d\":\"offline\"") },
	{ "a mark without its version", PROFILE("\"d\":\"away\"") },
	{ "the version of no mark", PROFILE("\"dv\":\"0000000000000001\"") },
	{ "a mark of a later version", PROFILE("\"d\":\"away\",\"dv\":\"ffffffffffffffff\"") },
	{ "mark a flag", PROFILE("\"d\":true") },
	{ "left in the future", USERS("{\"i\":\"a\",\"g\":-1}") },
	{ "close without a key", SAY("\"t\":\"close\",\"u\":\"bob\"") },
	{ "close with a short key", SAY("\"t\":\"close\",\"u\":\"bob\",\"k\":\"1\"") },
	{ "kick null", SAY("\"t\":\"kick\",\"u\":null") },
	{ "offer without a device", SAY(CALL("offer")) },
	{ "offer to nobody", SAY("\"t\":\"offer\",\"u\":\"bob\",\"c\":\"call-1\",\"d\":\"phone\"") },
	{ "offer without a call", SAY("\"t\":\"offer\",\"u\":\"bob\",\"to\":\"eve\",\"d\":\"phone\"") },
	{ "offer with a body that is raw", SAY(CALL("offer") ",\"d\":\"phone\",\"b\":null") },
	{ "offer with a body that is no JSON", SAY(CALL("offer") ",\"d\":\"phone\",\"b\":\"v=0\"") },
	{ "rang -1", SAY(CALL("rang") ",\"q\":-1") },
	{ "rang 2^32", SAY(CALL("rang") ",\"q\":4294967296") },
	{ "answer without a key", SAY(CALL("answer")) },
	{ "answered without a key", SAY(CALL("answered")) },
	{ "ice cut", SAY(CALL("ice") ",\"b\":\"[\"") },
	{ "ended for no reason", SAY(CALL("ended")) },
	{ "ended with a line end", SAY(CALL("ended") ",\"w\":\"a\\r\\nb\"") },
};

static void test_hostile(void)
{
	for (size_t i = 0; i < COUNT(no_json); i++)
		tap_ok(refused(no_json[i].text, strlen(no_json[i].text), LETTER_BAD_JSON), "R16, no JSON: %s", no_json[i].name);
	for (size_t i = 0; i < COUNT(bad); i++)
		tap_ok(refused(bad[i].text, strlen(bad[i].text), LETTER_BAD), "R16: %s", bad[i].name);
}

/* --- limits --- */

/* before, n times `unit`, after; its bytes. */
static size_t repeat(const char *before, const char *unit, size_t n, const char *after)
{
	size_t k = strlen(unit), at = strlen(before);

	if (at + n * k + strlen(after) >= sizeof(text_mem))
		abort();
	memcpy(text_mem, before, at);
	for (size_t i = 0; i < n; i++, at += k)
		memcpy(text_mem + at, unit, k);
	memcpy(text_mem + at, after, strlen(after) + 1);
	return at + strlen(after);
}

static const struct limit {
	const char *name, *before, *unit, *after;
	size_t max;
	enum letter_result above;
} limits[] = {
	{ "node", "{\"t\":\"beat\",\"n\":\"", "n", "\"," EPOCH ",\"s\":1}", 64, LETTER_BAD },
	{ "user_id", HEAD("users") ",\"u\":[{\"i\":\"", "i", "\"}]}", 128, LETTER_BAD },
	{ "user_id escaped", HEAD("users") ",\"u\":[{\"i\":\"", "\\u0069", "\"}]}", 128, LETTER_BAD },
	{ "username", HEAD("users") ",\"u\":[{\"i\":\"a\",\"n\":\"", "i", "\"}]}", 128, LETTER_BAD },
	{ "device_id", HEAD("users") ",\"u\":[{\"i\":\"a\",\"l\":[[\"", "d", "\",0,false]]}]}", 128, LETTER_BAD },
	{ "room", HEAD("users") ",\"u\":[{\"i\":\"a\",\"r\":[\"", "d", "\"]}]}", 128, LETTER_BAD },
	{ "rooms", HEAD("users") ",\"u\":[{\"i\":\"a\",\"r\":[\"x\"", ",\"x\"", "]}]}", 255, LETTER_BAD },
	{ "links", HEAD("users") ",\"u\":[{\"i\":\"a\",\"l\":[[\"d\",0,false]", ",[\"d\",0,false]", "]}]}", 63, LETTER_BAD },
	{ "custom", HEAD("users") ",\"u\":[{\"i\":\"a\",\"p\":{\"v\":" KEY ",\"c\":\"", "\\u0000", "\"}}]}", 256, LETTER_BAD },
	{ "shown custom", HEAD("users") ",\"u\":[{\"i\":\"a\",\"p\":{\"v\":" KEY ",\"o\":\"invisible\",\"sc\":\"", "c", "\"}}]}", 256,
	  LETTER_BAD },
	{ "metadata", HEAD("users") ",\"u\":[{\"i\":\"a\",\"p\":{\"v\":" KEY ",\"m\":\"{\\\"m\\\":\\\"", "m", "\\\"}\"}}]}", 2040,
	  LETTER_BAD },
	{ "metadata of blanks", HEAD("users") ",\"u\":[{\"i\":\"a\",\"p\":{\"v\":" KEY ",\"m\":\"{", "\\n", "}\"}}]}", 2046, LETTER_BAD },
	{ "text", HEAD("say") ",\"m\":{" CALL("ended") ",\"w\":\"", "w", "\"}}", 128, LETTER_BAD },
	{ "call_id", HEAD("say") ",\"m\":{\"t\":\"ice\",\"u\":\"a\",\"to\":\"b\",\"c\":\"", "w", "\"}}", 128, LETTER_BAD },
	{ "broadcast type", HEAD("say") ",\"m\":{\"t\":\"broadcast\",\"all\":true,\"b\":\"1\",\"ty\":\"", "w", "\"}}", 128, LETTER_BAD },
	{ "recipients", HEAD("say") ",\"m\":{\"t\":\"typing\",\"u\":\"a\",\"us\":[\"x\"", ",\"x\"", "]}}", 999, LETTER_BAD },
	{ "messages", HEAD("say") ",\"m\":{\"t\":\"receipt\",\"u\":\"a\",\"r\":\"x\",\"ms\":[\"x\"", ",\"x\"", "]}}", 999, LETTER_BAD },
	{ "excluded", HEAD("say") ",\"m\":{\"t\":\"broadcast\",\"all\":true,\"b\":\"1\",\"x\":[\"x\"", ",\"x\"", "]}}", 999,
	  LETTER_BAD },
	{ "J8: a body's depth, beside ours", HEAD("say") ",\"m\":{" CALL("ice") ",\"b\":\"", "[", "", 16, LETTER_BAD },
	{ "J8: depth of what is not known", HEAD("beat") ",\"zz\":", "[", "", 15, LETTER_BAD_JSON },
	{ "J9: tokens", HEAD("beat") ",\"zz\":[", "[],", "[]]}", 2036, LETTER_BAD_JSON },
	{ "J9: tokens in a body", HEAD("say") ",\"m\":{" CALL("ice") ",\"b\":\"[", "{},", "{}]\"}}", 2046, LETTER_BAD },
};

static size_t limit_text(const struct limit *l, size_t n)
{
	size_t at = repeat(l->before, l->unit, n, l->after);

	if (strcmp(l->unit, "[") != 0)
		return at;
	for (size_t i = 0; i < n; i++)
		text_mem[at++] = ']';
	memcpy(text_mem + at, "\"}}", 4);
	if (l->above == LETTER_BAD_JSON)
		memcpy(text_mem + at, "}", 2);
	return at + strlen(text_mem + at);
}

static void test_limits(void)
{
	struct letter out;

	for (size_t i = 0; i < COUNT(limits); i++) {
		const struct limit *l = &limits[i];
		enum letter_result below = read_guarded(text_mem, limit_text(l, l->max - 1), &out);
		enum letter_result at = read_guarded(text_mem, limit_text(l, l->max), &out);

		tap_ok(below == LETTER_OK && at == LETTER_OK, "%s: %zu and one less are taken", l->name, l->max);
		tap_ok(refused(text_mem, limit_text(l, l->max + 1), l->above), "R16: %s: one more is not", l->name);
	}
	repeat(HEAD("beat"), " ", LETTER_BYTES_MAX - strlen(HEAD("beat")) - 1, "}");
	tap_ok(read_guarded(text_mem, LETTER_BYTES_MAX, &out) == LETTER_OK, "a letter of LETTER_BYTES_MAX");
	memmove(text_mem + 1, text_mem, LETTER_BYTES_MAX);
	text_mem[0] = ' ';
	tap_ok(refused(text_mem, LETTER_BYTES_MAX + 1, LETTER_BAD_JSON), "R16: one byte more");
	tap_ok(refused(text_mem, repeat("", "[", LETTER_BYTES_MAX, ""), LETTER_BAD_JSON), "J8: 128 KiB of [");
	tap_ok(refused(text_mem, repeat("", "{\"t\":", LETTER_BYTES_MAX / 5, ""), LETTER_BAD_JSON), "J8: 128 KiB of {\"t\":");
}

/* --- structs --- */

/* A user with what the bits of `rng` say, of sizes up to the limits. */
struct made {
	struct peer_user u;
	struct peer_link links[PEER_LINKS_MAX];
	struct str rooms[PEER_ROOMS_MAX];
};

static struct str some_id(struct rng *r)
{
	static char longest[ID_BYTES_MAX];
	struct str odd = STR("%s\"\\\xf0\x9d\x84\x9e'");

	memset(longest, '"', sizeof(longest));
	switch (rng_below(r, 8)) {
	case 0:  return str_of(longest, sizeof(longest));
	case 1:  return odd;
	default: return str_of(odd.p, 1 + rng_below(r, 4));
	}
}

static wall_t some_time(struct rng *r)
{
	int64_t span = INT64_C(1) << 53;

	switch (rng_below(r, 4)) {
	case 0:  return WALL_NONE;
	case 1:  return (wall_t){ rng_below(r, 2) ? span : -span };
	default: return (wall_t){ (int64_t)rng_below(r, 1u << 31) * 1000 };
	}
}

static struct str some_text(struct rng *r)
{
	static char text[CUSTOM_STATUS_BYTES_MAX + 1] = "\x01\x02\n\"\\";

	return rng_below(r, 2) ? STR_NONE : str_of(text, rng_below(r, CUSTOM_STATUS_BYTES_MAX + 1));
}

static struct str some_metadata(struct rng *r)
{
	return rng_below(r, 2) ? STR_NONE : rng_below(r, 2) ? STR("{}") : STR("{\"a\\\"\":[1e9,{\"\xc3\xa9\":\"\\u0000\"}]}");
}

static void make(struct rng *r, struct made *m)
{
	m->u = (struct peer_user){ .user_id = some_id(r), .last_seen = some_time(r), .links = m->links };
	if (rng_below(r, 2))
		m->u.username = some_id(r);
	m->u.link_count = rng_below(r, 2) ? rng_below(r, PEER_LINKS_MAX + 1) : rng_below(r, 3);
	for (uint32_t i = 0; i < m->u.link_count; i++) {
		m->links[i] = (struct peer_link){ .device_id = some_id(r), .connected_at = WALL_NONE,
			.dialect = (uint8_t)rng_below(r, DIALECT_COUNT), .away = rng_below(r, 2) };
		if (rng_below(r, 3)) {
			m->links[i].key = rng_next(r);
			m->links[i].connected_at.ms = (int64_t)(rng_next(r) >> 12);
		}
	}
	m->u.rooms = (struct strs){ m->rooms, rng_below(r, 2) ? rng_below(r, PEER_ROOMS_MAX + 1) : 0 };
	for (uint32_t i = 0; i < m->u.rooms.n; i++)
		m->rooms[i] = some_id(r);
	if (rng_below(r, 3) == 0)
		return;
	m->u.profile = (struct peer_profile){ .version = rng_next(r), .override_by = rng_below(r, 2) ? UINT32_MAX : 0,
		.custom = some_text(r), .custom_expires = some_time(r), .metadata = some_metadata(r),
		.shown_custom = some_text(r), .shown_expires = some_time(r), .shown_metadata = some_metadata(r),
		.shown_last_seen = some_time(r), .hidden_for_ms = rng_below(r, 2) ? (int64_t)(rng_next(r) >> 12) : 0 };
	if (rng_below(r, 2))
		m->u.profile.override = (enum status)(STATUS_BUSY + rng_below(r, 3));
	m->u.profile.mark = (enum status)rng_below(r, STATUS_AWAY + 1);
	if (m->u.profile.mark != STATUS_OFFLINE)
		m->u.profile.mark_version = m->u.profile.version >> rng_below(r, 2);
	m->u.profile.marked_ago_ms = rng_below(r, 2) ? (int64_t)(rng_next(r) >> 12) : 0;
	m->u.left_ago_ms = rng_below(r, 2) ? (int64_t)(rng_next(r) >> 12) : 0;
}

static const struct letter state_head = { .type = LETTER_STATE, .node = { "node", 4 }, .epoch = 5, .seq = 7, .first = true };

static void test_users(struct rng *r)
{
	enum { IN_ONE = 12 };
	static struct made made[IN_ONE];
	unsigned wrong = 0, put_off = 0, fewest = IN_ONE;

	for (int round = 0; round < 300; round++) {
		struct letter_writer lw;
		struct letter got;
		struct peer_user u;
		struct jsonw w;
		struct str s;
		uint32_t n = 0;

		jsonw_init(&w, out_mem, LETTER_BYTES_MAX);
		letter_open(&lw, &w, &state_head);
		for (n = 0; n < IN_ONE; n++) {
			make(r, &made[n]);
			if (!letter_add_user(&lw, &made[n].u))
				break;
		}
		put_off += n < IN_ONE;
		fewest = n < fewest ? n : fewest;
		wrong += lw.users != n || !letter_close(&lw, 17);
		s = jsonw_text(&w);
		wrong += tokens_of(s) != lw.tokens;
		wrong += read_guarded(s.p, s.n, &got) != LETTER_OK || got.type != LETTER_STATE || got.epoch != 5 ||
			got.seq != 7 || got.cursor != 17 || !got.first || !str_eq(got.node, STR("node"));
		for (uint32_t i = 0; i < n; i++)
			wrong += !letter_next_user(reader, &u) || !rig_user_same(&u, &made[i].u);
		wrong += letter_next_user(reader, &u);
	}
	tap_is_u64(wrong, 0, "random users are read as they were written");
	tap_ok(put_off > 0 && fewest > 0, "some letters were full before (the smallest with %u)", fewest);
}

/* The largest of all: every limit reached, every byte escaped. */
static void make_largest(struct made *m)
{
	static char quotes[METADATA_BYTES_MAX], zeros[CUSTOM_STATUS_BYTES_MAX], metadata[METADATA_BYTES_MAX];
	struct str id = str_of(quotes, ID_BYTES_MAX);

	memset(quotes, '"', sizeof(quotes));
	memset(metadata, '\\', sizeof(metadata));
	memcpy(metadata, "{\"m\":\"", 6);
	memcpy(metadata + sizeof(metadata) - 2, "\"}", 2);
	m->u = (struct peer_user){ .user_id = id, .username = id, .last_seen = { -(INT64_C(1) << 53) }, .links = m->links,
		.link_count = PEER_LINKS_MAX, .rooms = { m->rooms, PEER_ROOMS_MAX },
		.left_ago_ms = INT64_C(1) << 53,
		.profile = { UINT64_MAX, STATUS_INVISIBLE, STATUS_ONLINE, UINT64_MAX, INT64_C(1) << 53, UINT32_MAX, str_of(zeros, sizeof(zeros)),
			{ -(INT64_C(1) << 53) }, str_of(metadata, sizeof(metadata)), str_of(zeros, sizeof(zeros)),
			str_of(metadata, sizeof(metadata)), { -(INT64_C(1) << 53) }, { -(INT64_C(1) << 53) },
			INT64_C(1) << 53 } };
	for (int i = 0; i < PEER_LINKS_MAX; i++)
		m->links[i] = (struct peer_link){ id, UINT64_MAX, { -(INT64_C(1) << 53) }, DIALECT_COUNT - 1, false };
	for (int i = 0; i < PEER_ROOMS_MAX; i++)
		m->rooms[i] = id;
}

static void test_largest(void)
{
	static struct made m;
	static char node[64];
	struct letter head = state_head, got;
	struct letter_writer lw;
	struct peer_user u;
	struct jsonw w;
	struct str s, before;

	memset(node, 'n', sizeof(node));
	head.node = str_of(node, sizeof(node));
	make_largest(&m);
	jsonw_init(&w, text_mem, sizeof(text_mem)); /* a buffer larger than a letter may be */
	letter_open(&lw, &w, &head);
	tap_ok(letter_add_user(&lw, &m.u), "the largest user fits into an empty letter");
	before = jsonw_text(&w);
	tap_ok(!letter_add_user(&lw, &m.u) && str_eq(before, jsonw_text(&w)) && lw.users == 1,
	       "a second does not, and leaves the letter as it was");
	tap_ok(letter_full(&lw) && letter_close(&lw, UINT32_MAX), "the letter is full, and closes");
	s = jsonw_text(&w);
	tap_ok(read_guarded(s.p, s.n, &got) == LETTER_OK && letter_next_user(reader, &u) && rig_user_same(&u, &m.u) &&
	       !letter_next_user(reader, &u), "and is read (%zu bytes)", s.n);
}

/* Users until the tokens are used up: they are the reader's too. */
static void test_many(void)
{
	const struct peer_user small = { .user_id = STR("u"), .last_seen = WALL_NONE };
	struct letter_writer lw;
	struct letter got;
	struct peer_user u;
	struct jsonw w;
	struct str s;
	uint32_t full_at = 0, n = 0;

	jsonw_init(&w, out_mem, LETTER_BYTES_MAX);
	letter_open(&lw, &w, &state_head);
	while (letter_add_user(&lw, &small))
		if (full_at == 0 && letter_full(&lw))
			full_at = lw.users;
	tap_ok(full_at > 0 && full_at < lw.users && lw.tokens <= JSON_TOKENS_MAX && lw.tokens + 3 > JSON_TOKENS_MAX,
	       "small users: full at %u, none is added after %u", full_at, lw.users);
	tap_ok(letter_close(&lw, 4294967294), "it closes");
	s = jsonw_text(&w);
	tap_ok(read_guarded(s.p, s.n, &got) == LETTER_OK, "and is read");
	while (letter_next_user(reader, &u))
		n++;
	tap_is_u64(n, lw.users, "all of them");
}

/* In a buffer of every size: what was added is there, what was not has left no trace. */
static void test_small_buffers(struct rng *r)
{
	static struct made m;
	unsigned wrong = 0, added = 0;

	do
		make(r, &m);
	while (m.u.link_count == 0 || m.u.link_count > 3 || m.u.rooms.n > 0 || m.u.profile.version == 0);
	for (size_t bytes = 0; bytes < 2500; bytes++) {
		char *mem = malloc(bytes + !bytes);
		struct letter_writer lw;
		struct letter got;
		struct jsonw w;

		jsonw_init(&w, mem, bytes);
		letter_open(&lw, &w, &state_head);
		while (letter_add_user(&lw, &m.u))
			;
		added += lw.users;
		if (letter_close(&lw, UINT32_MAX))
			wrong += jsonw_bytes(&w) > bytes ||
				read_guarded(mem, jsonw_bytes(&w), &got) != LETTER_OK;
		else
			wrong += lw.users > 0;
		free(mem);
	}
	tap_is_u64(wrong, 0, "buffers of 0 to 2499 bytes");
	tap_ok(added > 100, "%u users in them", added);
}

static size_t last_bytes; /* of the last letter that message_fits() made */

static bool message_fits(const struct peer_message *m, struct letter *got)
{
	struct letter head = { .type = LETTER_SAY, .node = STR("n"), .epoch = 1, .message = *m };
	struct letter_writer lw;
	struct jsonw w;
	struct str s;

	jsonw_init(&w, text_mem, sizeof(text_mem));
	letter_open(&lw, &w, &head);
	if (!letter_close(&lw, 0))
		return false;
	s = jsonw_text(&w);
	last_bytes = s.n;
	return tokens_of(s) == lw.tokens && read_guarded(s.p, s.n, got) == LETTER_OK && got->type == LETTER_SAY && got->message.type == m->type;
}

static void test_messages(void)
{
	static struct str ids[BULK_USERS_MAX];
	static char blanks[LETTER_BYTES_MAX];
	struct broadcast b = { .users = { ids, BULK_USERS_MAX }, .users_given = true, .exclude = { ids, BULK_USERS_MAX },
		.type = STR("deploy"), .data = STR("{}") };
	struct peer_message m = { .type = PEER_BROADCAST, .broadcast = &b };
	struct letter got;
	size_t largest;

	for (int i = 0; i < BULK_USERS_MAX; i++)
		ids[i] = STR("a-user-of-26-bytes-or-so..");
	tap_ok(message_fits(&m, &got) && rig_strs_same(got.message.broadcast->users, b.users) &&
	       rig_strs_same(got.message.broadcast->exclude, b.exclude) && got.message.broadcast->users_given,
	       "a broadcast to 1000 users but 1000 others");
	memset(blanks, 'x', sizeof(blanks));
	blanks[0] = blanks[MESSAGE_BYTES_MAX_DEFAULT - 1] = '"';
	m = (struct peer_message){ .type = PEER_CALL_OFFER, .user_id = STR("u"), .target = STR("v"), .call_id = STR("c"),
		.device_id = STR("d"), .body = str_of(blanks, MESSAGE_BYTES_MAX_DEFAULT) };
	tap_ok(message_fits(&m, &got) && rig_str_same(got.message.body, m.body), "a call's body of 64 KiB");
	largest = m.body.n + LETTER_BYTES_MAX - last_bytes;
	blanks[MESSAGE_BYTES_MAX_DEFAULT - 1] = 'x';
	for (size_t more = 0; more < 2; more++) {
		blanks[largest + more - 1] = '"';
		m.body = str_of(blanks, largest + more);
		tap_ok(message_fits(&m, &got) == (more == 0), "one of %zu bytes makes %s letter", m.body.n,
		       more == 0 ? "the longest" : "no");
		blanks[largest + more - 1] = 'x';
	}
}

static void test_nodes(void)
{
	for (unsigned c = 0; c < 256; c++) {
		char id[2] = { 'a', (char)c };
		bool may = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", (int)c) != NULL && c != 0;

		if (letter_is_node(str_of(id, 2)) != may)
			tap_ok(false, "letter_is_node: byte %u", c);
	}
	tap_ok(!letter_is_node(STR_NONE) && !letter_is_node(STR("")) && letter_is_node(STR("a")), "names of nodes");
}

int main(int argc, char **argv)
{
	struct rng rng = rng_seeded(argc, argv);

	reader = rig_reader(rng_next(&rng));
	test_taken();
	test_hostile();
	test_limits();
	test_users(&rng);
	test_largest();
	test_many();
	test_small_buffers(&rng);
	test_messages();
	test_nodes();
	return tap_done();
}

/* test/unit/test_calls_afar.c: calls between users of different nodes, while nothing is lost: transcripts. */
#include "engines_rig.h"
#include "tap.h"

static const struct engines_case cases[] = {
	{ "C3 dotted", "a call rings on three nodes, one answers, candidates, hangup",
	  "A c1 connect alice as=dotted dev=a\n"
	  "B c1 connect bob as=dotted dev=b1\n"
	  "B c2 connect bob as=dotted dev=b2\n"
	  "C c1 connect bob as=dotted dev=b3\n"
	  "A c2 connect bob as=dotted dev=b4\n"
	  "A c1 offer k1 bob SDP id=1\n"
	  "A -> c2: incoming k1 from=alice device=a\n"
	  "A -> c2: call-offer k1 SDP\n"
	  "A -> c1: ack offer re=1\n"
	  "B -> c1 c2: incoming k1 from=alice device=a\n"
	  "B -> c1 c2: call-offer k1 SDP\n"
	  "C -> c1: incoming k1 from=alice device=a\n"
	  "C -> c1: call-offer k1 SDP\n"
	  "A c1 ice k1 X\n"
	  "A -> c1: ack ice\n"
	  "A -> c2: call-ice k1 X\n"
	  "B -> c1 c2: call-ice k1 X\n"
	  "C -> c1: call-ice k1 X\n"
	  "B c2 ice k1 Y\n"
	  "A -> c1: call-ice k1 Y\n"
	  "B -> c2: ack ice\n"
	  "C c1 answer k1 ANS id=2\n"
	  "A -> c1: call-answer k1 ANS\n"
	  "A -> c2: ended k1 answered_elsewhere\n"
	  "B -> c1 c2: ended k1 answered_elsewhere\n"
	  "C -> c1: ack answer re=2\n"
	  "B c1 answer k1 late\n"
	  "B -> c1: error 404\n"
	  "A c1 ice k1 X2\n"
	  "A -> c1: ack ice\n"
	  "C -> c1: call-ice k1 X2\n"
	  "C c1 ice k1 Y2\n"
	  "A -> c1: call-ice k1 Y2\n"
	  "C -> c1: ack ice\n"
	  "B c2 ice k1 Y3\n"
	  "B -> c2: error 404\n"
	  "+100000\n"
	  "C c1 hangup k1 id=3\n"
	  "A -> c1: ended k1 hangup\n"
	  "C -> c1: ack hangup re=3\n"
	  "A c1 hangup k1\n"
	  "A -> c1: error 404\n"
	  "A stats\n"
	  "A = links=2 online=2 known=2 devices=5 rooms=0 subs=0 watches=0 typing=0 calls=0\n"
	  "B stats\n"
	  "B = links=2 online=2 known=2 devices=5 rooms=0 subs=0 watches=0 typing=0 calls=0\n"
	  "C stats\n"
	  "C = links=1 online=2 known=2 devices=5 rooms=0 subs=0 watches=0 typing=0 calls=0\n" },
	{ "C3 dotted", "the caller hangs up: while it rings, and once it is answered",
	  "A c1 connect alice as=dotted dev=a\n"
	  "B c1 connect bob as=dotted dev=b1\n"
	  "C c1 connect bob as=dotted dev=b2\n"
	  "A c1 offer k1 bob SDP\n"
	  "A -> c1: ack offer\n"
	  "B -> c1: incoming k1 from=alice device=a\n"
	  "B -> c1: call-offer k1 SDP\n"
	  "C -> c1: incoming k1 from=alice device=a\n"
	  "C -> c1: call-offer k1 SDP\n"
	  "A c1 hangup k1\n"
	  "A -> c1: ack hangup\n"
	  "A -> c1: ended k1 hangup\n"
	  "B -> c1: ended k1 hangup\n"
	  "C -> c1: ended k1 hangup\n"
	  "A c1 offer k1 bob SDP\n"
	  "A -> c1: ack offer\n"
	  "B -> c1: incoming k1 from=alice device=a\n"
	  "B -> c1: call-offer k1 SDP\n"
	  "C -> c1: incoming k1 from=alice device=a\n"
	  "C -> c1: call-offer k1 SDP\n"
	  "B c1 answer k1 ANS\n"
	  "A -> c1: call-answer k1 ANS\n"
	  "B -> c1: ack answer\n"
	  "C -> c1: ended k1 answered_elsewhere\n"
	  "A c1 hangup k1 id=1\n"
	  "A -> c1: ack hangup re=1\n"
	  "B -> c1: ended k1 hangup\n" },
	{ "C3 dotted", "the callee declines, for all; a local device answers, for all",
	  "A c1 connect alice as=dotted dev=a\n"
	  "A c2 connect bob as=dotted dev=b0\n"
	  "B c1 connect bob as=dotted dev=b1\n"
	  "C c1 connect bob as=dotted dev=b2\n"
	  "A c1 offer k1 bob SDP\n"
	  "A -> c2: incoming k1 from=alice device=a\n"
	  "A -> c2: call-offer k1 SDP\n"
	  "A -> c1: ack offer\n"
	  "B -> c1: incoming k1 from=alice device=a\n"
	  "B -> c1: call-offer k1 SDP\n"
	  "C -> c1: incoming k1 from=alice device=a\n"
	  "C -> c1: call-offer k1 SDP\n"
	  "B c1 hangup k1\n"
	  "A -> c1 c2: ended k1 hangup\n"
	  "B -> c1: ack hangup\n"
	  "B -> c1: ended k1 hangup\n"
	  "C -> c1: ended k1 hangup\n"
	  "A c1 offer k2 bob SDP\n"
	  "A -> c2: incoming k2 from=alice device=a\n"
	  "A -> c2: call-offer k2 SDP\n"
	  "A -> c1: ack offer\n"
	  "B -> c1: incoming k2 from=alice device=a\n"
	  "B -> c1: call-offer k2 SDP\n"
	  "C -> c1: incoming k2 from=alice device=a\n"
	  "C -> c1: call-offer k2 SDP\n"
	  "A c2 answer k2 ANS\n"
	  "A -> c2: ack answer\n"
	  "A -> c1: call-answer k2 ANS\n"
	  "B -> c1: ended k2 answered_elsewhere\n"
	  "C -> c1: ended k2 answered_elsewhere\n"
	  "+61000\n"
	  "A c2 hangup k2\n"
	  "A -> c2: ack hangup\n"
	  "A -> c1 c2: ended k2 hangup\n"
	  "A stats\n"
	  "A = links=2 online=2 known=2 devices=4 rooms=0 subs=0 watches=0 typing=0 calls=0\n" },
	{ "C3 dotted", "nobody answers",
	  "A c1 connect alice as=dotted dev=a\n"
	  "B c1 connect bob as=dotted dev=b1\n"
	  "C c1 connect bob as=dotted dev=b2\n"
	  "A c1 offer k1 bob SDP\n"
	  "A -> c1: ack offer\n"
	  "B -> c1: incoming k1 from=alice device=a\n"
	  "B -> c1: call-offer k1 SDP\n"
	  "C -> c1: incoming k1 from=alice device=a\n"
	  "C -> c1: call-offer k1 SDP\n"
	  "+59999\n"
	  "+1\n"
	  "A -> c1: ended k1 timeout\n"
	  "B -> c1: ended k1 timeout\n"
	  "C -> c1: ended k1 timeout\n" },
	{ "C3 dotted", "nobody has words for it: unavailable once all have said so, or at the end of the ring time",
	  "A c1 connect alice as=dotted dev=a\n"
	  "B beat bob tablet\n"
	  "C c40 connect bob as=dotted dev=b2\n"
	  "A c1 offer k1 bob SDP\n"
	  "A -> c1: ack offer\n"
	  "A -> c1: ended k1 unavailable\n"
	  "A c40 connect bob as=dotted\n"
	  "A c1 offer k2 bob SDP\n"
	  "A -> c1: ack offer\n"
	  "A -> c1: ended k2 unavailable\n"
	  "B c1 connect bob as=dotted\n"
	  "hold\n"
	  "A c1 offer k3 bob SDP\n"
	  "A -> c1: ack offer\n"
	  "lose A B\n"
	  "lose A C\n"
	  "+60000\n"
	  "A -> c1: ended k3 unavailable\n"
	  "go\n"
	  "A c1 offer k4 zed SDP id=3\n"
	  "A -> c1: ended k4 unavailable re=3\n"
	  "A stats\n"
	  "A = links=2 online=2 known=2 devices=5 rooms=0 subs=0 watches=0 typing=0 calls=0\n" },
	{ "C3 dotted", "it rings here but not there; then here no more",
	  "A c1 connect alice as=dotted dev=a\n"
	  "A c2 connect bob as=dotted\n"
	  "B c40 connect bob as=dotted\n"
	  "A c1 offer k1 bob SDP\n"
	  "A -> c2: incoming k1 from=alice device=a\n"
	  "A -> c2: call-offer k1 SDP\n"
	  "A -> c1: ack offer\n"
	  "A c2 gone\n"
	  "A -> c1: ended k1 disconnected\n"
	  "A stats\n"
	  "A = links=1 online=2 known=2 devices=2 rooms=0 subs=0 watches=0 typing=0 calls=0\n" },
	{ "C3 dotted", "it rings there but not here",
	  "A c1 connect alice as=dotted dev=a\n"
	  "A c40 connect bob as=dotted\n"
	  "B c1 connect bob as=dotted\n"
	  "A c1 offer k1 bob SDP\n"
	  "A -> c1: ack offer\n"
	  "B -> c1: incoming k1 from=alice device=a\n"
	  "B -> c1: call-offer k1 SDP\n"
	  "B c1 answer k1 ANS\n"
	  "A -> c1: call-answer k1 ANS\n"
	  "B -> c1: ack answer\n" },
	{ "C3 dotted", "a party goes while it rings: one of the callee's connections, the last ones, the caller",
	  "A c1 connect alice as=dotted dev=a\n"
	  "B c1 connect bob as=dotted dev=b1\n"
	  "B c2 connect bob as=dotted dev=b2\n"
	  "C c1 connect bob as=dotted dev=b3\n"
	  "A c1 offer k1 bob SDP\n"
	  "A -> c1: ack offer\n"
	  "B -> c1 c2: incoming k1 from=alice device=a\n"
	  "B -> c1 c2: call-offer k1 SDP\n"
	  "C -> c1: incoming k1 from=alice device=a\n"
	  "C -> c1: call-offer k1 SDP\n"
	  "B c1 gone\n"
	  "B c2 gone\n"
	  "C c1 gone\n"
	  "A -> c1: ended k1 disconnected\n"
	  "B c1 connect bob as=dotted dev=b1\n"
	  "A c1 offer k2 bob SDP\n"
	  "A -> c1: ack offer\n"
	  "B -> c1: incoming k2 from=alice device=a\n"
	  "B -> c1: call-offer k2 SDP\n"
	  "A c1 gone\n"
	  "B -> c1: ended k2 disconnected\n"
	  "A stats\n"
	  "A = links=0 online=2 known=2 devices=1 rooms=0 subs=0 watches=0 typing=0 calls=0\n"
	  "B stats\n"
	  "B = links=1 online=2 known=2 devices=1 rooms=0 subs=0 watches=0 typing=0 calls=0\n" },
	{ "C3 dotted", "a party goes once it is answered",
	  "A c1 connect alice as=dotted dev=a\n"
	  "A c2 connect alice as=dotted dev=a2\n"
	  "B c1 connect bob as=dotted dev=b1\n"
	  "B c2 connect bob as=dotted dev=b2\n"
	  "A c1 offer k1 bob SDP\n"
	  "A -> c1: ack offer\n"
	  "B -> c1 c2: incoming k1 from=alice device=a\n"
	  "B -> c1 c2: call-offer k1 SDP\n"
	  "B c1 answer k1 ANS\n"
	  "A -> c1: call-answer k1 ANS\n"
	  "B -> c1: ack answer\n"
	  "B -> c2: ended k1 answered_elsewhere\n"
	  "A c2 gone\n"
	  "B c2 gone\n"
	  "B c1 gone\n"
	  "A -> c1: ended k1 disconnected\n"
	  "B c1 connect bob as=dotted dev=b1\n"
	  "A c1 offer k2 bob SDP\n"
	  "A -> c1: ack offer\n"
	  "B -> c1: incoming k2 from=alice device=a\n"
	  "B -> c1: call-offer k2 SDP\n"
	  "B c1 answer k2 ANS\n"
	  "A -> c1: call-answer k2 ANS\n"
	  "B -> c1: ack answer\n"
	  "A c1 gone\n"
	  "B -> c1: ended k2 disconnected\n"
	  "A stats\n"
	  "A = links=0 online=2 known=2 devices=1 rooms=0 subs=0 watches=0 typing=0 calls=0\n"
	  "B stats\n"
	  "B = links=1 online=2 known=2 devices=1 rooms=0 subs=0 watches=0 typing=0 calls=0\n" },
	{ "C3 dotted", "two answer at the same moment at two nodes: the first to be heard has it",
	  "A c1 connect alice as=dotted dev=a\n"
	  "B c1 connect bob as=dotted dev=b1\n"
	  "B c2 connect bob as=dotted dev=b2\n"
	  "C c1 connect bob as=dotted dev=b3\n"
	  "A c1 offer k1 bob SDP\n"
	  "A -> c1: ack offer\n"
	  "B -> c1 c2: incoming k1 from=alice device=a\n"
	  "B -> c1 c2: call-offer k1 SDP\n"
	  "C -> c1: incoming k1 from=alice device=a\n"
	  "C -> c1: call-offer k1 SDP\n"
	  "hold\n"
	  "B c1 answer k1 FROM-B\n"
	  "B -> c1: ack answer\n"
	  "B -> c2: ended k1 answered_elsewhere\n"
	  "C c1 answer k1 FROM-C\n"
	  "C -> c1: ack answer\n"
	  "B c1 ice k1 LOST\n"
	  "B -> c1: ack ice\n"
	  "step C A\n"
	  "A -> c1: call-answer k1 FROM-C\n"
	  "go\n"
	  "B -> c1: ended k1 answered_elsewhere\n"
	  "C c1 ice k1 Y\n"
	  "A -> c1: call-ice k1 Y\n"
	  "C -> c1: ack ice\n"
	  "A c1 ice k1 X\n"
	  "A -> c1: ack ice\n"
	  "C -> c1: call-ice k1 X\n"
	  "B c1 hangup k1\n"
	  "B -> c1: error 404\n"
	  "C c1 hangup k1\n"
	  "A -> c1: ended k1 hangup\n"
	  "C -> c1: ack hangup\n"
	  "C -> c1: ended k1 hangup\n" },
	{ "C3 dotted", "a local device answers at the same moment; who is too late hangs up at once",
	  "A c1 connect alice as=dotted dev=a\n"
	  "A c2 connect bob as=dotted dev=b0\n"
	  "B c1 connect bob as=dotted dev=b1\n"
	  "C c1 connect bob as=dotted dev=b2\n"
	  "A c1 offer k1 bob SDP\n"
	  "A -> c2: incoming k1 from=alice device=a\n"
	  "A -> c2: call-offer k1 SDP\n"
	  "A -> c1: ack offer\n"
	  "B -> c1: incoming k1 from=alice device=a\n"
	  "B -> c1: call-offer k1 SDP\n"
	  "C -> c1: incoming k1 from=alice device=a\n"
	  "C -> c1: call-offer k1 SDP\n"
	  "hold\n"
	  "B c1 answer k1 FROM-B\n"
	  "B -> c1: ack answer\n"
	  "C c1 answer k1 FROM-C\n"
	  "C -> c1: ack answer\n"
	  "A c2 answer k1 FROM-A\n"
	  "A -> c2: ack answer\n"
	  "A -> c1: call-answer k1 FROM-A\n"
	  "C c1 hangup k1\n"
	  "C -> c1: ack hangup\n"
	  "C -> c1: ended k1 hangup\n"
	  "go\n"
	  "B -> c1: ended k1 answered_elsewhere\n"
	  "A c2 ice k1 Y\n"
	  "A -> c2: ack ice\n"
	  "A -> c1: call-ice k1 Y\n" },
	{ "C3 dotted", "the caller hangs up as the callee answers",
	  "A c1 connect alice as=dotted dev=a\n"
	  "B c1 connect bob as=dotted dev=b1\n"
	  "A c1 offer k1 bob SDP\n"
	  "A -> c1: ack offer\n"
	  "B -> c1: incoming k1 from=alice device=a\n"
	  "B -> c1: call-offer k1 SDP\n"
	  "hold\n"
	  "A c1 hangup k1\n"
	  "A -> c1: ack hangup\n"
	  "A -> c1: ended k1 hangup\n"
	  "B c1 answer k1 ANS\n"
	  "B -> c1: ack answer\n"
	  "go\n"
	  "B -> c1: ended k1 hangup\n"
	  "A stats\n"
	  "A = links=1 online=2 known=2 devices=2 rooms=0 subs=0 watches=0 typing=0 calls=0\n"
	  "B stats\n"
	  "B = links=1 online=2 known=2 devices=2 rooms=0 subs=0 watches=0 typing=0 calls=0\n" },
	{ "C3 dotted", "both call each other by one id from two nodes at the same time: the lower id's call stays",
	  "A c1 connect alice as=dotted dev=a\n"
	  "B c1 connect bob as=dotted dev=b1\n"
	  "C c1 connect alice as=dotted dev=a2\n"
	  "C c2 connect bob as=dotted dev=b2\n"
	  "hold\n"
	  "A c1 offer k1 bob FROM-A\n"
	  "A -> c1: ack offer\n"
	  "B c1 offer k1 alice FROM-B\n"
	  "B -> c1: ack offer\n"
	  "step B C\n"
	  "C -> c1: incoming k1 from=bob device=b1\n"
	  "C -> c1: call-offer k1 FROM-B\n"
	  "go\n"
	  "B -> c1: ended k1 busy\n"
	  "B -> c1: incoming k1 from=alice device=a\n"
	  "B -> c1: call-offer k1 FROM-A\n"
	  "C -> c1: ended k1 busy\n"
	  "C -> c2: incoming k1 from=alice device=a\n"
	  "C -> c2: call-offer k1 FROM-A\n"
	  "B c1 answer k1 ANS\n"
	  "A -> c1: call-answer k1 ANS\n"
	  "B -> c1: ack answer\n"
	  "C -> c2: ended k1 answered_elsewhere\n"
	  "A c1 hangup k1\n"
	  "A -> c1: ack hangup\n"
	  "A -> c1: ended k1 hangup\n"
	  "B -> c1: ended k1 hangup\n"
	  "A stats\n"
	  "A = links=1 online=2 known=2 devices=4 rooms=0 subs=0 watches=0 typing=0 calls=0\n"
	  "B stats\n"
	  "B = links=1 online=2 known=2 devices=4 rooms=0 subs=0 watches=0 typing=0 calls=0\n"
	  "C stats\n"
	  "C = links=2 online=2 known=2 devices=4 rooms=0 subs=0 watches=0 typing=0 calls=0\n" },
	{ "C3 dotted", "both call each other by two ids: two calls",
	  "A c1 connect alice as=dotted dev=a\n"
	  "B c1 connect bob as=dotted dev=b1\n"
	  "hold\n"
	  "A c1 offer k1 bob FROM-A\n"
	  "A -> c1: ack offer\n"
	  "B c1 offer k2 alice FROM-B\n"
	  "B -> c1: ack offer\n"
	  "go\n"
	  "A -> c1: incoming k2 from=bob device=b1\n"
	  "A -> c1: call-offer k2 FROM-B\n"
	  "B -> c1: incoming k1 from=alice device=a\n"
	  "B -> c1: call-offer k1 FROM-A\n"
	  "B c1 answer k1 ANS\n"
	  "A -> c1: call-answer k1 ANS\n"
	  "B -> c1: ack answer\n"
	  "A c1 hangup k2\n"
	  "A -> c1: ack hangup\n"
	  "A -> c1: ended k2 hangup\n"
	  "B -> c1: ended k2 hangup\n" },
	{ "C3 dotted", "one user calls from two nodes, and the callee is where the caller is too",
	  "A c1 connect alice as=dotted dev=a\n"
	  "B c1 connect alice as=dotted dev=a2\n"
	  "B c2 connect bob as=dotted dev=b\n"
	  "A c1 offer k1 bob SDP\n"
	  "A -> c1: ack offer\n"
	  "B -> c2: incoming k1 from=alice device=a\n"
	  "B -> c2: call-offer k1 SDP\n"
	  "B c1 offer k1 bob SDP\n"
	  "B -> c1: error 409\n"
	  "B c1 hangup k1\n"
	  "B -> c1: error 409\n"
	  "B c1 offer k2 bob SDP\n"
	  "B -> c2: incoming k2 from=alice device=a2\n"
	  "B -> c2: call-offer k2 SDP\n"
	  "B -> c1: ack offer\n"
	  "B c2 answer k1 ANS1\n"
	  "A -> c1: call-answer k1 ANS1\n"
	  "B -> c2: ack answer\n"
	  "B c2 answer k2 ANS2\n"
	  "B -> c2: ack answer\n"
	  "B -> c1: call-answer k2 ANS2\n"
	  "A c1 gone\n"
	  "B -> c2: ended k1 disconnected\n"
	  "B c1 ice k2 X\n"
	  "B -> c1: ack ice\n"
	  "B -> c2: call-ice k2 X\n" },
	{ "C3 dotted", "a call of the same id to another: refused where the callee's node knows the first",
	  "A c1 connect alice as=dotted dev=a\n"
	  "B c1 connect bob as=dotted dev=b\n"
	  "C c1 connect carol as=dotted dev=c\n"
	  "A c1 offer k1 bob SDP\n"
	  "A -> c1: ack offer\n"
	  "B -> c1: incoming k1 from=alice device=a\n"
	  "B -> c1: call-offer k1 SDP\n"
	  "C c1 offer k1 bob SDP\n"
	  "C -> c1: ack offer\n"
	  "C -> c1: ended k1 unavailable\n"
	  "B c1 answer k1 ANS\n"
	  "A -> c1: call-answer k1 ANS\n"
	  "B -> c1: ack answer\n" },
	{ "C2 invisible", "an invisible callee is unavailable, where it is known and where it is not yet",
	  "A c1 connect alice as=dotted dev=a\n"
	  "B c1 connect bob as=dotted dev=b\n"
	  "hold\n"
	  "B c1 set invisible\n"
	  "B -> c1: ack set bob invisible dc=1\n"
	  "B -> c1: update bob invisible dc=1\n"
	  "A c1 offer k1 bob SDP\n"
	  "A -> c1: ack offer\n"
	  "step A B\n"
	  "go\n"
	  "A -> c1: ended k1 unavailable\n"
	  "A c1 offer k2 bob SDP\n"
	  "A -> c1: ended k2 unavailable\n"
	  "B c1 offer k3 alice SDP\n"
	  "A -> c1: incoming k3 from=bob device=b\n"
	  "A -> c1: call-offer k3 SDP\n"
	  "B -> c1: ack offer\n"
	  "A c1 answer k3 ANS\n"
	  "A -> c1: ack answer\n"
	  "B -> c1: call-answer k3 ANS\n" },
};

/* A line for each number below `times`, %d in it. */
static void repeat(struct engines *es, const char *format, int times)
{
	char line[64];

	for (int i = 0; i < times; i++)
		engines_line(es, line, (size_t)snprintf(line, sizeof line, format, i));
}

static void line(struct engines *es, const char *text)
{
	engines_line(es, text, strlen(text));
}

static uint32_t calls_of(const struct engines *es, uint32_t node)
{
	struct engine_stats s;

	engine_stats(es->node[node].rig.e, &s);
	return s.calls;
}

/* A user has 16 calls at most, and these engines have room for 24. */
static void full(void)
{
	static struct engines es;

	engines_init(&es);
	line(&es, "A c1 connect alice as=dotted");
	line(&es, "A c2 connect dave as=dotted");
	line(&es, "B c1 connect bob as=dotted");
	line(&es, "B c2 connect eve as=dotted");
	line(&es, "C c1 connect carol as=dotted");
	repeat(&es, "A c1 offer a%d bob S", 10);
	repeat(&es, "C c1 offer c%d bob S", 6);
	line(&es, "C c2 connect alice as=dotted");
	repeat(&es, "C c2 offer e%d eve S", 6);
	tap_is_u64(calls_of(&es, 1), 22, "C3 dotted: a record for each call");
	engines_collect(&es);
	es.out_n = 0;
	tap_ok(engines_transcript(&es, "C c1 offer c7 bob S\nC -> c1: ack offer\nC -> c1: ended c7 busy\n"),
	       "C3 dotted: the callee has too many calls at another node: busy");
	es.out_n = 0;
	tap_ok(engines_transcript(&es, "C c2 offer e7 eve S\nC -> c2: ack offer\nC -> c2: ended e7 unavailable\n"),
	       "C3 dotted: the caller has, from several nodes: unavailable");
	repeat(&es, "A c2 offer d%d eve S", 2);
	engines_collect(&es);
	es.out_n = 0;
	tap_ok(engines_transcript(&es, "A c2 offer d2 eve S\nA -> c2: ack offer\nA -> c2: ended d2 unavailable\n"),
	       "C3 dotted: no room for more at another node: unavailable");
	line(&es, "A c1 gone");
	line(&es, "A c2 gone");
	line(&es, "C c1 gone");
	line(&es, "C c2 gone");
	tap_is_u64(calls_of(&es, 0) + calls_of(&es, 1) + calls_of(&es, 2), 0, "C3 dotted: none is left");
	engines_fini(&es);
}

static void send_body(struct engines *es, uint32_t node, enum command_type type, size_t bytes)
{
	static char body[PEER_BODY_BYTES_MAX + 1];
	struct command c = { .type = type };

	memset(body, '1', sizeof body);
	c.call.id = STR("k1");
	c.call.target = STR("bob");
	c.call.body = str_of(body, bytes);
	es->node[node].rig.out_n = 0;
	engine_command(es->node[node].rig.e, 1, &c, es->node[node].rig.now);
	node_check(&es->node[node]);
}

/* What no letter could carry is refused, and changes nothing. */
static void too_long(void)
{
	static const enum command_type types[] = { CMD_CALL_OFFER, CMD_CALL_ANSWER, CMD_CALL_ICE, CMD_CALL_ICE };
	static struct engines es;

	engines_init(&es);
	line(&es, "A c1 connect alice as=dotted");
	line(&es, "B c1 connect bob as=dotted");
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t node = i & 1;
		struct rig *r = &es.node[node].rig;

		if (i == 3) /* the callee's candidate */
			line(&es, "A c1 ice k1 X");
		send_body(&es, node, types[i], PEER_BODY_BYTES_MAX + 1);
		tap_ok(strcmp(r->out, "-> c1: error 413\n") == 0 && es.node[node].to[node ^ 1] == NULL,
		       "C3 dotted: a body of over 60 KiB to another node: 413 (%u)", i);
		if (i == 0)
			line(&es, "A c1 offer k1 bob S");
		else if (i == 1)
			line(&es, "B c1 answer k1 S");
		tap_is_u64(calls_of(&es, node), 1, "C3 dotted: and the call is as it was");
	}
	engines_fini(&es);
}

int main(void)
{
	engines_cases(cases, sizeof cases / sizeof *cases);
	full();
	too_long();
	return tap_done();
}

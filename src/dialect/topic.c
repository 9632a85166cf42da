/*
 * dialect/topic.c: see topic.h. Invariant: bits that no client names (roster, room presence) are not in the
 * table.
 */
#include "dialect/topic.h"

#include <assert.h>

static const struct {
	struct str word;
	enum topic bit;
} topics_named[] = {
	{ STR("user"), TOPIC_USER },
	{ STR("conversation"), TOPIC_CONVERSATION },
	{ STR("presence"), TOPIC_PRESENCE },
	{ STR("typing"), TOPIC_TYPING },
	{ STR("calls"), TOPIC_CALLS },
	{ STR("notifications"), TOPIC_NOTIFICATIONS },
};

enum { TOPICS_NAMED = sizeof(topics_named) / sizeof(topics_named[0]) };

bool topic_of_word(struct str word, enum topic *out)
{
	assert(out != NULL);
	for (size_t i = 0; i < TOPICS_NAMED; i++) {
		if (!str_eq(word, topics_named[i].word))
			continue;
		*out = topics_named[i].bit;
		return true;
	}
	return false;
}

void topic_write(struct jsonw *w, uint8_t topics)
{
	assert(w != NULL);
	jsonw_arr(w);
	for (size_t i = 0; i < TOPICS_NAMED; i++)
		if (topics & topics_named[i].bit)
			jsonw_str(w, topics_named[i].word);
	jsonw_end_arr(w);
}

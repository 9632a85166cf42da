/* Invariant: the decoder is fed the first certificate of a chain only. */
#include "net/leaf.h"

static struct leaf *of(const br_x509_class **ctx)
{
	return (struct leaf *)(void *)ctx;
}

static void start_chain(const br_x509_class **ctx, const char *server_name)
{
	struct leaf *l = of(ctx);

	(void)server_name;
	l->begun = l->ended = false;
}

static void start_cert(const br_x509_class **ctx, uint32_t length)
{
	struct leaf *l = of(ctx);

	(void)length;
	if (!l->ended)
		br_x509_decoder_init(&l->decoder, NULL, NULL);
	l->begun = true;
}

static void append(const br_x509_class **ctx, const unsigned char *buf, size_t len)
{
	struct leaf *l = of(ctx);

	if (!l->ended)
		br_x509_decoder_push(&l->decoder, buf, len);
}

static void end_cert(const br_x509_class **ctx)
{
	of(ctx)->ended = true;
}

static unsigned end_chain(const br_x509_class **ctx)
{
	struct leaf *l = of(ctx);

	return l->begun ? (unsigned)br_x509_decoder_last_error(&l->decoder) : BR_ERR_X509_EMPTY_CHAIN;
}

static const br_x509_pkey *get_pkey(const br_x509_class *const *ctx, unsigned *usages)
{
	struct leaf *l = of((const br_x509_class **)ctx);

	if (usages != NULL)
		*usages = BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN;
	return l->begun ? br_x509_decoder_get_pkey(&l->decoder) : NULL;
}

void leaf_init(struct leaf *l)
{
	static const br_x509_class class = {
		sizeof(struct leaf), start_chain, start_cert, append, end_cert, end_chain, get_pkey,
	};

	*l = (struct leaf){ .vtable = &class };
}

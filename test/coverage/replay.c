/*
 * test/coverage/replay.c: main of a fuzz target that only replays: each file named is one input, in the order given.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUT_BYTES_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is as long as its memory, as under libFuzzer. */
static int replay(const char *path)
{
	static uint8_t in[INPUT_BYTES_MAX];
	FILE *f = fopen(path, "rb");
	uint8_t *copy;
	size_t n;

	if (f == NULL) {
		perror(path);
		return 1;
	}
	n = fread(in, 1, sizeof(in), f);
	fclose(f);
	copy = malloc(n + !n);
	if (copy == NULL)
		return 1;
	for (size_t i = 0; i < n; i++)
		copy[i] = in[i];
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	return 0;
}

int main(int argc, char **argv)
{
	int bad = 0;

	for (int i = 1; i < argc; i++)
		bad |= replay(argv[i]);
	return bad;
}

/* main.c: a placeholder until the server is there: prints the version. */
#include <stdio.h>

int main(void)
{
	puts("presenced " PRESENCED_VERSION);
	return 0;
}

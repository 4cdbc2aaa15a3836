/* main.c - the kdsl command. */
#include "cli/opt.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "opt") == 0)
        return kd_cli_opt(argc - 1, argv + 1);
    fprintf(stderr, "kdsl: the only command so far is 'kdsl opt'\n");
    return 2;
}

/* main.c - the kdsl command. */
#include <stdio.h>

int main(int argc, char **argv)
{
    fprintf(stderr, "kdsl: there are no commands yet\n");
    return 2;
}

/* opt.h - kdsl opt: passes over IR text. */
#ifndef KD_CLI_OPT_H
#define KD_CLI_OPT_H

/* argv[0] is "opt". Returns the exit status. */
int kd_cli_opt(int argc, char **argv);

#endif

/* cli.h - between the files of the kdsl command. */
#ifndef KD_CLI_CLI_H
#define KD_CLI_CLI_H

#include "base/arena.h"
#include "base/failure.h"
#include "base/str.h"

#include <stdio.h>

/* Exit statuses: what a script can tell apart. */
typedef enum kd_exit {
    KD_EXIT_OK = 0,
    KD_EXIT_KERNEL = 1, /* the kernel is wrong */
    KD_EXIT_USAGE = 2,  /* the command line is wrong */
    KD_EXIT_WORLD = 3,  /* a file, a device or memory failed */
    KD_EXIT_DIFFERS = 4, /* --expect found a difference */
} kd_exit;

/* ---- options ---- */

typedef enum kd_option_kind {
    KD_OPTION_FLAG,   /* --json:            bool */
    KD_OPTION_TEXT,   /* --target T:        const char *, the last one counts */
    KD_OPTION_LIST,   /* -I DIR, repeated:  kd_text_list */
    KD_OPTION_NUMBER, /* --num-warps N:     long */
    KD_OPTION_REAL,   /* --rtol R:          double */
} kd_option_kind;

typedef struct kd_text_list {
    const char **data;
    unsigned n, cap;
} kd_text_list;

typedef struct kd_option {
    const char *name;  /* "--target"; other spellings behind it: "--out-path -o" */
    kd_option_kind kind;
    void *value;
    const char *metavar; /* "FILE"; NULL for flags */
    const char *help;    /* one line; NULL: accepted, not shown */
    double least, most;  /* of NUMBER and REAL; most 0: no bounds */
} kd_option;

typedef struct kd_command {
    const char *name;
    const char *usage;   /* "FILE[:KERNEL] [NAME=VALUE ...] --grid G" */
    const char *summary; /* one line, for the list of commands */
    const char *help;    /* the text between usage and options; ends with examples */
    int (*main)(const struct kd_command *command, int argc, char **argv); /* argv[0]: the command's name */
} kd_command;

extern const kd_command kd_commands[];
extern const unsigned kd_n_commands;

/* Reads options from argv (from argv[1] on); what is no option goes to out_words. "--" ends the options; --name=value is --name value; -I DIR
 * and -IDIR are the same. Negative numbers and NAME=VALUE words are no options. Returns -1 to go on, or an exit status: help was asked for
 * and printed, or the command line is wrong and has been reported. */
int kd_options_parse(const kd_command *command, const kd_option *options, unsigned n_options, int argc, char **argv, kd_arena *arena,
                     kd_text_list *out_words);

/* A command of no words and one option, --json: what it shows, and its exit status. */
int kd_options_query(const kd_command *command, int argc, char **argv, int (*show)(kd_arena *arena, bool json));

/* The memory of a command. Where it runs out, that is said, and the process ends with KD_EXIT_WORLD. */
kd_arena *kd_cli_arena_create(void);

/* ---- talking to people ---- */

/* "kdsl: error: ..." on standard error. */
void kd_cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Diagnostics of a compiler on standard error, in colour on a terminal. */
void kd_cli_show_messages(const char *text);
void kd_cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Whether to color what goes to a stream: a terminal, and neither NO_COLOR nor TERM=dumb is set. */
bool kd_cli_color(FILE *stream);
/* A status as an exit status. */
kd_exit kd_cli_exit_of(kd_status status);
/* Of the names, the one most like what was written, or NULL where none is near. */
const char *kd_cli_nearest(const char *written, const char *const *names, unsigned n);
/* "1.50 MiB"; "12.3 us". Text in the arena. */
const char *kd_cli_bytes_text(kd_arena *arena, double n_bytes);
const char *kd_cli_time_text(kd_arena *arena, double seconds);
double kd_cli_now(void); /* seconds, monotonic */
void kd_cli_sort_times(double *times, unsigned n);

/* Rows of text in aligned columns; a column is right-aligned where its heading starts with '>'. With headings in bold on a terminal. */
typedef struct kd_table kd_table;
kd_table *kd_table_create(kd_arena *arena, const char *const *headings, unsigned n_columns);
void kd_table_row(kd_table *table, const char *const *cells); /* n_columns of them; NULL is empty */
void kd_table_print(const kd_table *table, FILE *out);

/* Writes a text to standard output and frees it. NULL: there was no memory for it. An exit status. */
int kd_cli_print_and_free(char *text);
/* Writes the document to standard output, with two spaces of indentation, and frees it. An exit status. */
struct yyjson_mut_doc;
int kd_cli_json_print(struct yyjson_mut_doc *doc);

/* ---- commands ---- */

int kd_cli_run(const kd_command *command, int argc, char **argv);
int kd_cli_compile(const kd_command *command, int argc, char **argv);
int kd_cli_check(const kd_command *command, int argc, char **argv);
int kd_cli_list(const kd_command *command, int argc, char **argv);
int kd_cli_opt(const kd_command *command, int argc, char **argv);
int kd_cli_graph(const kd_command *command, int argc, char **argv);
int kd_cli_devices(const kd_command *command, int argc, char **argv);
int kd_cli_cache(const kd_command *command, int argc, char **argv);
int kd_cli_version(const kd_command *command, int argc, char **argv);
int kd_cli_help(const kd_command *command, int argc, char **argv);

/* Whether the target, where it is a GPU that kdsl knows, has such work-groups; 0: nobody asked. */
kd_exit kd_cli_check_work_group(const char *target, long num_warps, long sub_group_size);

#endif

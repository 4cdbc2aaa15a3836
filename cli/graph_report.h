/* graph_report.h - what became of a graph, for people. */
#ifndef KD_CLI_GRAPH_REPORT_H
#define KD_CLI_GRAPH_REPORT_H

#include "base/str.h"
#include "graph/graph.h"

typedef struct kd_graph_report {
    const char *model; /* its file */
    const kd_executable *exe;
    const uint64_t *estimate_ns; /* of each step */
    const uint64_t *step_ns;     /* measured; NULL: not measured */
} kd_graph_report;

/* One HTML page that needs no other file. */
void kd_graph_report_html(const kd_graph_report *report, kd_strbuf *out);
/* Tables for a terminal. */
void kd_graph_report_steps(kd_arena *arena, const kd_graph_report *report);
void kd_graph_report_nodes(kd_arena *arena, const kd_graph_report *report);

#endif

/* graph_report.c - 'kdsl graph explain': tables for a terminal, and a page for a browser. */
#include "cli/graph_report.h"

#include "cli/cli.h"
#include "cli/common.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- for a terminal ---- */

/* "1.2 M". */
static const char *count_text(kd_arena *arena, uint64_t n)
{
    static const char *const UNITS[] = {"", " k", " M", " G", " T"};
    double value = (double)n;
    unsigned unit = 0;
    while (value >= 1000 && unit < 4) {
        value /= 1000;
        unit++;
    }
    return kd_arena_printf(arena, value < 10 && unit ? "%.1f%s" : "%.0f%s", value, UNITS[unit]);
}

/* 0: nobody knows. */
static const char *ns_text(kd_arena *arena, uint64_t ns)
{
    return ns ? kd_cli_time_text(arena, (double)ns * 1e-9) : "-";
}

void kd_graph_report_steps(kd_arena *arena, const kd_graph_report *r)
{
    const char *headings[] = {">step", "kind", "name", ">reads", ">writes", ">programs", ">flops", ">estimate", ">time", "nodes"};
    kd_table *table = kd_table_create(arena, headings, 10);
    for (unsigned i = 0; i < kd_executable_n_steps(r->exe); i++) {
        const kd_step_info *s = kd_executable_step(r->exe, i);
        kd_table_row(table, (const char *[]){kd_arena_printf(arena, "%u", i), s->kind, s->name,
                                             kd_cli_bytes_text(arena, (double)s->n_read_bytes),
                                             kd_cli_bytes_text(arena, (double)s->n_written_bytes),
                                             s->source ? kd_arena_printf(arena, "%" PRIu64, s->n_programs) : NULL,
                                             count_text(arena, s->n_flops), ns_text(arena, r->estimate_ns[i]),
                                             r->step_ns ? ns_text(arena, r->step_ns[i]) : NULL, s->nodes});
    }
    kd_table_print(table, stdout);
}

static const char *step_text(kd_arena *arena, const kd_node_info *node)
{
    return node->step >= 0 ? kd_arena_printf(arena, "%d", node->step) : NULL;
}

void kd_graph_report_nodes(kd_arena *arena, const kd_graph_report *r)
{
    const char *headings[] = {"node", "op", "type", "became", ">step", "line"};
    kd_table *table = kd_table_create(arena, headings, 6);
    for (unsigned i = 0; i < kd_executable_n_nodes(r->exe); i++) {
        const kd_node_info *n = kd_executable_node(r->exe, i);
        kd_table_row(table, (const char *[]){n->name, n->op, n->type, n->became, step_text(arena, n), n->line ? n->line : ""});
    }
    kd_table_print(table, stdout);
}

/* ---- a page ---- */

static const char STYLE[] =
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:78em;padding:0 1em;color:#1b1f24;background:#fff}\n"
    "h1{font-size:1.5em;margin:0}h2{font-size:1.15em;margin:2em 0 .5em}p{margin:.3em 0;color:#555}\n"
    "table{border-collapse:collapse;width:100%;font-size:13px}th{text-align:left;color:#555;font-weight:600;position:sticky;top:0;"
    "background:#fff}\n"
    "th,td{padding:.25em .7em .25em 0;border-bottom:1px solid #e4e7eb;vertical-align:top}.n{text-align:right;white-space:nowrap}\n"
    "td.names{word-break:break-word;min-width:16em}code,pre{font:12px/1.45 "
    "ui-monospace,monospace}pre{background:#f6f8fa;padding:.8em;overflow-x:auto}\n"
    ".bar{position:relative;height:10px;min-width:12em;background:#f0f2f4;border-radius:2px;margin-top:.4em}\n"
    ".bar i{position:absolute;left:0;top:0;bottom:0;border-radius:2px;background:#3b7dd8}.bar i.kernel{background:#e08a2e}\n"
    ".bar b{position:absolute;top:-3px;bottom:-3px;width:2px;background:#1b1f24}\n"
    ".tiles{display:flex;flex-wrap:wrap;gap:1em 2.5em;margin:1.2em 0}.tiles div{font-size:1.5em}.tiles "
    "small{display:block;font-size:.55em;color:#555}\n"
    ".key i{display:inline-block;width:10px;height:10px;border-radius:2px;margin:0 .3em 0 1em}summary{cursor:pointer}\n"
    "@media(prefers-color-scheme:dark){body,th{background:#15181c;color:#dde2e8}p,th,.tiles "
    "small{color:#9aa4af}th,td{border-color:#2c3239}"
    "pre,.bar{background:#22272e}.bar b{background:#dde2e8}}\n";

static void put_escaped(kd_strbuf *out, const char *text)
{
    for (const char *c = text ? text : ""; *c; c++) {
        if (*c == '<' || *c == '>' || *c == '&' || *c == '"')
            kd_strbuf_printf(out, "&#%d;", *c);
        else
            kd_strbuf_append(out, c, 1);
    }
}

typedef struct totals {
    uint64_t step_ns, estimate_ns, longest_ns, n_flops, n_bytes;
    unsigned n_kernels, n_primitives;
} totals;

static uint64_t shown_ns(const kd_graph_report *r, unsigned i)
{
    return r->step_ns ? r->step_ns[i] : r->estimate_ns[i];
}

static totals sum_up(const kd_graph_report *r)
{
    totals t = {0};
    for (unsigned i = 0; i < kd_executable_n_steps(r->exe); i++) {
        const kd_step_info *s = kd_executable_step(r->exe, i);
        t.step_ns += shown_ns(r, i);
        t.estimate_ns += r->estimate_ns[i];
        t.longest_ns = shown_ns(r, i) > t.longest_ns ? shown_ns(r, i) : t.longest_ns;
        t.n_flops += s->n_flops;
        t.n_bytes += s->n_read_bytes + s->n_written_bytes;
        if (s->source)
            t.n_kernels++;
        else
            t.n_primitives++;
    }
    return t;
}

static void put_tile(kd_strbuf *out, const char *value, const char *what)
{
    kd_strbuf_printf(out, "<div>%s<small>%s</small></div>\n", value, what);
}

static void put_summary(const kd_graph_report *r, const totals *t, kd_strbuf *out)
{
    kd_arena *arena = out->arena;
    kd_strbuf_puts(out, "<div class=tiles>\n");
    if (r->step_ns)
        put_tile(out, ns_text(arena, t->step_ns), "all steps, measured");
    put_tile(out, ns_text(arena, t->estimate_ns), "all steps, at best");
    put_tile(out, kd_arena_printf(arena, "%u", kd_executable_n_nodes(r->exe)), "nodes");
    put_tile(out, kd_arena_printf(arena, "%u", t->n_primitives), "primitives of oneDNN");
    put_tile(out, kd_arena_printf(arena, "%u", t->n_kernels), "generated kernels");
    put_tile(out, count_text(arena, t->n_flops), "floating-point operations");
    put_tile(out, kd_cli_bytes_text(arena, (double)t->n_bytes), "read and written");
    put_tile(out, kd_cli_bytes_text(arena, (double)kd_executable_arena_bytes(r->exe)), "memory between steps");
    kd_strbuf_puts(out, "</div>\n");
}

static void put_bar(const kd_graph_report *r, const totals *t, unsigned i, kd_strbuf *out)
{
    double longest = t->longest_ns ? (double)t->longest_ns : 1, best = 100 * (double)r->estimate_ns[i] / longest;
    kd_strbuf_printf(out, "<td><div class=bar><i class=%s style=\"width:%.1f%%\"></i>", kd_executable_step(r->exe, i)->kind,
                     100 * (double)shown_ns(r, i) / longest);
    if (r->step_ns)
        kd_strbuf_printf(out, "<b style=\"left:%.1f%%\"></b>", best < 100 ? best : 100);
    kd_strbuf_puts(out, "</div></td>");
}

static void put_steps(const kd_graph_report *r, const totals *t, kd_strbuf *out)
{
    kd_arena *arena = out->arena;
    kd_strbuf_puts(out, "<h2>Steps</h2>\n<p class=key>In the order of execution.<i style=\"background:#3b7dd8\"></i>primitive"
                        "<i style=\"background:#e08a2e\"></i>kernel");
    kd_strbuf_printf(out, "%s. At best: what memory or arithmetic alone would take on this machine.</p>\n",
                     r->step_ns ? "; the mark is the time at best" : ", at best: pass inputs to measure");
    kd_strbuf_printf(
        out,
        "<table><tr><th class=n>step<th>what<th>nodes<th class=n>%s<th><th class=n>at best<th class=n>flops<th class=n>reads"
        "<th class=n>writes</tr>\n",
        r->step_ns ? "time" : "");
    for (unsigned i = 0; i < kd_executable_n_steps(r->exe); i++) {
        const kd_step_info *s = kd_executable_step(r->exe, i);
        kd_strbuf_printf(out, "<tr id=s%u><td class=n>%u<td>", i, i);
        if (s->source)
            kd_strbuf_printf(out, "<a href=\"#k%u\">", i);
        put_escaped(out, s->name);
        kd_strbuf_puts(out, s->source ? "</a><td class=names>" : "<td class=names>");
        put_escaped(out, s->nodes);
        kd_strbuf_printf(out, "<td class=n>%s", r->step_ns ? ns_text(arena, r->step_ns[i]) : "");
        put_bar(r, t, i, out);
        kd_strbuf_printf(out, "<td class=n>%s<td class=n>%s<td class=n>%s<td class=n>%s</tr>\n", ns_text(arena, r->estimate_ns[i]),
                         count_text(arena, s->n_flops), kd_cli_bytes_text(arena, (double)s->n_read_bytes),
                         kd_cli_bytes_text(arena, (double)s->n_written_bytes));
    }
    kd_strbuf_puts(out, "</table>\n");
}

static void put_nodes(const kd_graph_report *r, kd_strbuf *out)
{
    kd_strbuf_puts(
        out,
        "<h2>Nodes</h2>\n<p>Each operator of the model, and what became of it: a view costs nothing, a constant was computed when "
        "the model was compiled.</p>\n<table><tr><th>node<th>op<th>result<th>became<th>line of the model</tr>\n");
    for (unsigned i = 0; i < kd_executable_n_nodes(r->exe); i++) {
        const kd_node_info *n = kd_executable_node(r->exe, i);
        kd_strbuf_puts(out, "<tr><td>");
        put_escaped(out, n->name);
        kd_strbuf_puts(out, "<td>");
        put_escaped(out, n->op);
        kd_strbuf_printf(out, "<td>%s<td>", n->type);
        if (n->step >= 0)
            kd_strbuf_printf(out, "<a href=\"#s%d\">%s %d</a>", n->step, n->became, n->step);
        else
            kd_strbuf_puts(out, n->became);
        kd_strbuf_puts(out, "<td><code>");
        put_escaped(out, n->line);
        kd_strbuf_puts(out, "</code></tr>\n");
    }
    kd_strbuf_puts(out, "</table>\n");
}

static void put_kernels(const kd_graph_report *r, kd_strbuf *out)
{
    kd_strbuf_puts(out, "<h2>Kernels</h2>\n<p>The source that was written for the kernels; 'kdsl graph source' saves it.</p>\n");
    for (unsigned i = 0; i < kd_executable_n_steps(r->exe); i++) {
        const kd_step_info *s = kd_executable_step(r->exe, i);
        if (!s->source)
            continue;
        kd_strbuf_printf(out, "<details id=k%u><summary>", i);
        put_escaped(out, s->name);
        kd_strbuf_puts(out, "</summary><pre>");
        put_escaped(out, s->source);
        kd_strbuf_puts(out, "</pre></details>\n");
    }
}

void kd_graph_report_html(const kd_graph_report *r, kd_strbuf *out)
{
    totals t = sum_up(r);
    kd_strbuf_puts(
        out, "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\n<title>");
    put_escaped(out, r->model);
    kd_strbuf_printf(out, "</title>\n<style>\n%s</style>\n<h1>", STYLE);
    put_escaped(out, r->model);
    kd_strbuf_puts(out, "</h1>\n<p>What kdsl made of it.</p>\n");
    put_summary(r, &t, out);
    put_steps(r, &t, out);
    put_nodes(r, out);
    put_kernels(r, out);
    kd_strbuf_puts(out, "</html>\n");
}

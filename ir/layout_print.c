/* layout_print.c - layouts for people: a table in text, and a picture. */
#include "ir/layout.h"

#include <math.h>
#include <stdio.h>

static const char *const INPUT_NAMES[KD_N_LAYOUT_INS] = {"register", "lane", "sub-group"};

typedef struct place {
    uint32_t at[KD_N_LAYOUT_INS];
    bool known;
} place;

/* For each position the first place that holds it. */
static place *places_of(const kd_layout *l, kd_arena *arena)
{
    place *places = kd_arena_array(arena, place, (size_t)1 << l->n_out_bits);
    struct {
        unsigned in, bit;
    } used[KD_N_LAYOUT_INS * KD_MAX_LAYOUT_BITS]; /* bits that do not only make copies */
    unsigned n = 0;
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < l->n_bits[in]; i++)
            if (!(kd_layout_free_bits(l, (kd_layout_in)in) >> i & 1)) {
                used[n].in = in;
                used[n++].bit = i;
            }
    for (uint32_t k = 0; k < 1u << n; k++) {
        place p = {.known = true};
        for (unsigned i = 0; i < n; i++)
            p.at[used[i].in] |= (k >> i & 1) << used[i].bit;
        places[kd_layout_position(l, p.at[KD_REGISTER], p.at[KD_LANE], p.at[KD_SUB_GROUP])] = p;
    }
    return places;
}

/* "8x16 elements, 2 registers x 16 lanes x 4 sub-groups, 2 copies of each" */
static void print_summary(const kd_layout *l, const kd_type *shape, kd_strbuf *out)
{
    unsigned n_free = 0;
    for (unsigned axis = 0; axis < shape->rank; axis++)
        kd_strbuf_printf(out, "%s%lld", axis ? "x" : "", (long long)shape->shape[axis]);
    kd_strbuf_puts(out, " elements,");
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++) {
        kd_strbuf_printf(out, "%s %u %s%s", in ? " x" : "", 1u << l->n_bits[in], INPUT_NAMES[in], l->n_bits[in] ? "s" : "");
        n_free += (unsigned)__builtin_popcount(kd_layout_free_bits(l, (kd_layout_in)in));
    }
    if (!l->is_complete)
        kd_strbuf_puts(out, ", not complete");
    if (n_free)
        kd_strbuf_printf(out, ", %u copies of each", 1u << n_free);
}

static void print_coords(const kd_type *shape, uint32_t position, kd_strbuf *out)
{
    kd_strbuf_puts(out, "[");
    for (unsigned axis = 0; axis < shape->rank; axis++)
        kd_strbuf_printf(out, "%s%lld", axis ? ", " : "", (long long)kd_position_coord(shape, position, axis));
    kd_strbuf_puts(out, "]");
}

/* Rows and columns of the last two axes, at index 0 of the others. */
typedef struct table {
    unsigned n_rows, n_columns, shown_rows, shown_columns;
} table;

static unsigned at_most(unsigned n, unsigned limit)
{
    return n < limit ? n : limit;
}

static table table_of(const kd_type *shape, unsigned max_rows, unsigned max_columns)
{
    table t = {.n_rows = shape->rank > 1 ? (unsigned)shape->shape[shape->rank - 2] : 1,
               .n_columns = (unsigned)shape->shape[shape->rank - 1]};
    t.shown_rows = at_most(t.n_rows, max_rows);
    t.shown_columns = at_most(t.n_columns, max_columns);
    return t;
}

static void print_cut(const table *t, kd_strbuf *out)
{
    if (t->shown_rows < t->n_rows || t->shown_columns < t->n_columns)
        kd_strbuf_printf(out, "the first %u of %u rows and %u of %u columns", t->shown_rows, t->n_rows, t->shown_columns,
                         t->n_columns);
}

void kd_layout_print(const kd_layout *l, const kd_type *shape, kd_strbuf *out)
{
    print_summary(l, shape, out);
    kd_strbuf_puts(out, "\n");
    for (unsigned in = 0; in < KD_N_LAYOUT_INS; in++)
        for (unsigned i = 0; i < l->n_bits[in]; i++) {
            kd_strbuf_printf(out, "  %-9s + %-5u -> ", INPUT_NAMES[in], 1u << i);
            if (l->basis[in][i]) {
                kd_strbuf_puts(out, "+ ");
                print_coords(shape, l->basis[in][i], out);
            } else {
                kd_strbuf_puts(out, "a copy");
            }
            kd_strbuf_puts(out, "\n");
        }
    table t = table_of(shape, 32, 16);
    const place *places = places_of(l, out->arena);
    kd_strbuf_puts(out, "sub-group:lane.register of each element\n     ");
    for (unsigned c = 0; c < t.shown_columns; c++)
        kd_strbuf_printf(out, " %9u", c);
    for (unsigned r = 0; r < t.shown_rows; r++) {
        kd_strbuf_printf(out, "\n%5u", r);
        for (unsigned c = 0; c < t.shown_columns; c++) {
            const place *p = &places[r * t.n_columns + c];
            char text[40] = "-";
            if (p->known)
                snprintf(text, sizeof text, "%u:%u.%u", p->at[KD_SUB_GROUP], p->at[KD_LANE], p->at[KD_REGISTER]);
            kd_strbuf_printf(out, " %9s", text);
        }
    }
    kd_strbuf_puts(out, "\n");
    if (t.shown_rows < t.n_rows || t.shown_columns < t.n_columns) {
        print_cut(&t, out);
        kd_strbuf_puts(out, "\n");
    }
}

/* ---- pictures ---- */

enum { CELL_WIDTH = 38, CELL_HEIGHT = 20, LEFT = 40, TOP = 64 };

/* A hue for the sub-group, lighter for low lanes: hue, and a lightness between 0.9 and 0.55. Returns whether it is too dark for black letters. */
static bool colour_of(const kd_layout *l, const place *p, char text[8])
{
    if (!p->known) {
        snprintf(text, 8, "#ffffff");
        return false;
    }
    double hue = 6.0 * p->at[KD_SUB_GROUP] / (1u << l->n_bits[KD_SUB_GROUP]) + 3.5;
    double lightness = 0.9 - 0.35 * p->at[KD_LANE] / (1u << l->n_bits[KD_LANE]), spread = 0.7 * (1 - lightness);
    unsigned rgb[3];
    for (unsigned i = 0; i < 3; i++) {
        double distance = fabs(fmod(hue + 2.0 * i, 6.0) - 3.0); /* 0: opposite hue, 3: this one */
        double part = distance < 1 ? -1 : distance > 2 ? 1 : 2 * distance - 3;
        rgb[i] = (unsigned)(255 * (lightness + spread * part) + 0.5);
        rgb[i] = at_most(rgb[i], 255);
    }
    snprintf(text, 8, "#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
    return 299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] < 120 * 1000; /* as bright as the eye sees it, of 255 */
}

static void put_escaped(const char *text, kd_strbuf *out)
{
    for (; *text; text++)
        kd_strbuf_printf(out, *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : "%c", *text);
}

unsigned kd_layout_svg(const kd_layout *l, const kd_type *shape, unsigned y, kd_strbuf *out)
{
    table t = table_of(shape, 128, 128);
    const place *places = places_of(l, out->arena);
    unsigned width = LEFT + t.shown_columns * CELL_WIDTH + 10, height = TOP + t.shown_rows * CELL_HEIGHT + 10;
    kd_strbuf_printf(out,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" y=\"%u\" width=\"%u\" height=\"%u\" font-family=\"sans-serif\" "
                     "font-size=\"10\">\n",
                     y, width < 640 ? 640 : width, height);
    kd_strbuf_puts(out, "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"8\" y=\"16\" font-size=\"13\">");
    put_escaped(shape->text, out);
    kd_strbuf_puts(out, "</text>\n<text x=\"8\" y=\"31\" fill=\"#555\">");
    print_summary(l, shape, out);
    kd_strbuf_puts(out, "</text>\n<text x=\"8\" y=\"45\" fill=\"#555\">hue: sub-group; shade and text: lane.register. ");
    print_cut(&t, out);
    kd_strbuf_puts(out, "</text>\n<g text-anchor=\"middle\">\n");
    for (unsigned c = 0; c < t.shown_columns; c++)
        kd_strbuf_printf(out, "<text x=\"%u\" y=\"%u\" fill=\"#555\">%u</text>\n", LEFT + c * CELL_WIDTH + CELL_WIDTH / 2, TOP - 6,
                         c);
    for (unsigned r = 0; r < t.shown_rows; r++) {
        unsigned top = TOP + r * CELL_HEIGHT;
        kd_strbuf_printf(out, "<text x=\"%u\" y=\"%u\" fill=\"#555\">%u</text>\n", LEFT / 2, top + 14, r);
        for (unsigned c = 0; c < t.shown_columns; c++) {
            const place *p = &places[r * t.n_columns + c];
            unsigned x = LEFT + c * CELL_WIDTH;
            char colour[8];
            bool is_dark = colour_of(l, p, colour);
            kd_strbuf_printf(out, "<g><rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" fill=\"%s\" stroke=\"white\"/>", x, top,
                             CELL_WIDTH, CELL_HEIGHT, colour);
            if (p->known)
                kd_strbuf_printf(out,
                                 "<text x=\"%u\" y=\"%u\"%s>%u.%u</text><title>[%u, %u]: sub-group %u, lane %u, register %u</title>",
                                 x + CELL_WIDTH / 2, top + 14, is_dark ? " fill=\"white\"" : "", p->at[KD_LANE], p->at[KD_REGISTER], r, c, p->at[KD_SUB_GROUP],
                                 p->at[KD_LANE], p->at[KD_REGISTER]);
            kd_strbuf_puts(out, "</g>\n");
        }
    }
    kd_strbuf_puts(out, "</g>\n</svg>\n");
    return height;
}

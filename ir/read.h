/* read.h - the pieces that IR text is made of: words, types, numbers, attributes. parse.c puts them together. */
#ifndef KD_IR_READ_H
#define KD_IR_READ_H

#include "base/map.h"
#include "base/nearest.h"
#include "base/vec.h"
#include "ir/ir.h"

/* What a name stands for. A region's names end with it, but stay known, so that their use can be explained. */
typedef struct kd_binding {
    kd_str name;
    kd_value *value;
    kd_loc loc;
    bool ended;
} kd_binding;

typedef struct kd_reader {
    kd_module *module;
    kd_arena *arena;
    kd_diags *diags;
    uint32_t source;
    const char *begin, *at, *end;
    const char *last; /* the end of what was read last: ops end there, not at the space behind */
    kd_map funcs;     /* name -> func op */
    kd_map names;     /* of the function: text -> kd_binding */
    KD_VEC(kd_binding *) scope; /* those that are visible, outermost first */
    unsigned depth;
} kd_reader;

/* ---- places and characters ---- */
/* From there to the end of what was read last. */
kd_loc kd_read_loc_from(const kd_reader *p, const char *begin);
/* One character, or the end of the text. */
kd_loc kd_read_loc_here(const kd_reader *p);
/* Spaces, comments and ends of lines. */
void kd_read_skip_space(kd_reader *p);
/* The next character on this line; 0 at its end. */
char kd_read_peek(kd_reader *p);
/* Steps over the word if it stands here. */
bool kd_read_accept(kd_reader *p, const char *word);
/* What stands here, for a message. */
const char *kd_read_found(kd_reader *p);
/* accept, or an error: "expected WORD WHERE, but found ...". */
bool kd_read_expect(kd_reader *p, const char *word, const char *where);
bool kd_read_is_digit(char c);
bool kd_read_is_word_start(char c);
/* Letters, digits and _.$ from here on. */
kd_str kd_read_name(kd_reader *p);
/* A mnemonic, attribute or enum value; empty where none stands here. */
kd_str kd_read_word(kd_reader *p);

/* ---- types, numbers, attributes: false where it is something else, which is reported ---- */
typedef KD_VEC(const kd_type *) kd_type_list;

typedef struct kd_literal {
    kd_str text;
    bool is_float, negative, too_large;
    uint64_t magnitude; /* of an integer */
    double f;           /* of both */
} kd_literal;

const kd_type *kd_read_type(kd_reader *p);
bool kd_read_types(kd_reader *p, kd_type_list *out);
bool kd_read_literal(kd_reader *p, kd_literal *out);
bool kd_read_int(kd_reader *p, int64_t *out);
/* "@name". */
bool kd_read_symbol(kd_reader *p, kd_str *out);
bool kd_read_enum(kd_reader *p, const kd_attr_info *info, const char *mnemonic, kd_attr *out);
/* "{name = value, ...}", if it stands here; seen: a bit an attribute. */
bool kd_read_attrs(kd_reader *p, const kd_op_info *info, kd_attr *attrs, unsigned *seen);
/* The literal that began at from, as a constant of the type. */
bool kd_read_convert(kd_reader *p, const kd_literal *l, const char *from, const kd_type *type, kd_number *out);

#endif

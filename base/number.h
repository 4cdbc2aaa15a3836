/* number.h - decimal floats as text, whatever the process's locale says about the decimal point. */
#ifndef KD_BASE_NUMBER_H
#define KD_BASE_NUMBER_H

#include "base/str.h"

/* Reads all of text: digits with '.' and exponent as in C and Python, 'inf', 'nan', with an optional sign. Rounds to nearest; too large is
 * inf. False: not a number. */
bool kd_double_parse(kd_str text, double *out);

enum { KD_MAX_DOUBLE_TEXT = 40 };

/* Writes a finite number with so many significant digits, without zeros at the end (as "%.*g"). */
void kd_double_format(char text[KD_MAX_DOUBLE_TEXT], double value, int n_digits);

#endif

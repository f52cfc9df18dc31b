/* diag_int.h - private to base. */
#ifndef MEERKAT_BASE_DIAG_INT_H
#define MEERKAT_BASE_DIAG_INT_H

#include "base/buf.h"
#include "base/str.h"

/* Without what would steer the terminal it is shown on. */
void diag_put_printable(Buf *out, Str text);
/* A line of the source for all to see: printable, with asterisks for the values of YAML keys that
 * name a secret and for passwords in URLs. As many columns as the line has. */
void diag_put_shown(Buf *out, Str line);

#endif

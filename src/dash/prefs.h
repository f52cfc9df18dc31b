/* prefs.h - one bounded JSON document of preferences per user. */
#ifndef MEERKAT_DASH_PREFS_H
#define MEERKAT_DASH_PREFS_H

#include "base/arena.h"
#include "dash/meta.h"

#define PREFS_BYTES_MAX ((size_t)64 << 10)

/* Appends the user's document, "{}" when there is none. */
ErrCode prefs_get(MetaDb *db, Str user, Buf *out, Err *reterr);
/* document: a JSON object. ERR_INVALID, ERR_TOO_LARGE; ERR_NOT_FOUND for an unknown user. The arena is scratch. */
ErrCode prefs_set(MetaDb *db, Str user, Str document, Arena *arena, Err *reterr);

#endif

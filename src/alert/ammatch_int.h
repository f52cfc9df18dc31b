/* ammatch_int.h - the two parsers behind ammatch.h. Private to alert. */
#ifndef MEERKAT_ALERT_AMMATCH_INT_H
#define MEERKAT_ALERT_AMMATCH_INT_H

#include "alert/ammatch.h"

#include "base/vec.h"

typedef struct AmMatcherText {
    MatchType type;
    Str name, value;
} AmMatcherText;
typedef AVEC(AmMatcherText) AmMatcherTexts;

ErrCode ammatch_utf8(Str text, Arena *arena, AmMatcherTexts *out, Err *reterr);
ErrCode ammatch_classic(Str text, Arena *arena, AmMatcherTexts *out, Err *reterr);
ErrCode ammatch_classic_one(Str text, Arena *arena, AmMatcherTexts *out, Err *reterr);
/* White space as Unicode knows it. */
bool ammatch_is_space(uint32_t rune);
/* Characters that end an unquoted word. */
bool ammatch_is_reserved(uint32_t rune);

#endif

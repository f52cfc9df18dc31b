/* template_parse.h - a look at a notification template before it is needed. */
#ifndef MEERKAT_ALERT_TEMPLATE_PARSE_H
#define MEERKAT_ALERT_TEMPLATE_PARSE_H

#include "base/err.h"
#include "base/str.h"

/* Whether the text parses with the functions of notifications; the message is Go's. */
ErrCode notify_template_check(Str text, Err *reterr);

#endif

/* params_int.h - bodies of kind multipart/form-data, as a part of a request's parameters. */
#pragma once

#include "net/http.h"

/* At most as many fields as the body has; 0 when there is no boundary. */
size_t multipart_count(const HttpRequest *req);
/* Writes up to max fields (names and values: slices of the body) and gives their number. Files are left out. Source:
 * RFC 7578; what Go's ParseMultipartForm takes. */
size_t multipart_fields(const HttpRequest *req, HttpParam *out, size_t max);
/* What Go's mime.ParseMediaType says of a Content-Type without its parameters; empty when it is well-formed or absent.
 */
Str media_type_error(Str content_type);

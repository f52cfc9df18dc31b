/* version.h - MEERKAT_VERSION comes from meson.build. */
#ifndef MEERKAT_CMD_VERSION_H
#define MEERKAT_CMD_VERSION_H

#ifndef MEERKAT_VERSION
#error "MEERKAT_VERSION is defined by the build"
#endif

#endif

/* users.h - who may sign in: users with argon2id hashes and roles, kept in the metadata database and mirrored into
 * net/auth.h's Auth, which does the checking. */
#ifndef MEERKAT_DASH_USERS_H
#define MEERKAT_DASH_USERS_H

#include "dash/meta.h"
#include "net/auth.h"

#define USERS_PASSWORD_MIN 8    /* bytes of a password chosen by a person */
#define USERS_PASSWORD_MAX 1024 /* as net/auth.h */

/* Loads every user into auth. The first time it creates admin_user (empty: "admin") with admin_password (empty:
 * "admin"). Later a configured password is applied once whenever the configuration's value has changed, so that a
 * password changed by its user survives restarts and a forgotten one can be reset. */
ErrCode users_load(MetaDb *db, Auth *auth, Str admin_user, Str admin_password, Err *reterr);

/* Adds or replaces a user, in the database first. ERR_INVALID for a bad name, role or password. */
ErrCode users_set(MetaDb *db, Auth *auth, Str name, Str password, Role role, Err *reterr);
/* ERR_NOT_FOUND; ERR_FORBIDDEN for the last administrator. Ends the user's sessions. */
ErrCode users_remove(MetaDb *db, Auth *auth, Str name, Err *reterr);
/* Checks the old password (with peer's throttling) and the new one's length. Ends the user's sessions.
 * ERR_UNAUTHENTICATED, ERR_OVERLOADED, ERR_INVALID, ERR_NOT_FOUND. */
ErrCode users_change_password(
    MetaDb *db, Auth *auth, Str name, Str old_password, Str new_password, Str peer, Role *ret_role, Err *reterr);

const char *users_role_name(Role role); /* "viewer", "editor", "admin"; "none" */

#endif

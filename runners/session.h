/*
 * The libvirt session of this user: where its sockets are, and a libvirtd that
 * serves it even when the user is root. Blocks.
 */
#pragma once

struct err;

/*
 * Make sure that XDG_RUNTIME_DIR names a folder that is ours alone, and return
 * it: what is set, /run/user/UID, or one made in /tmp. The caller frees it.
 */
int session_get_folder(char **ret_path, struct err *err);
/* A folder "testlab" in it for our own sockets. The caller frees it. */
int session_get_socket_folder(char **ret_path, struct err *err);
/* The URI to connect to. The caller frees it. */
int session_get_uri(char **ret_uri, struct err *err);
/* Start the libvirtd of that URI if that is up to us (for root); another one that runs is fine. */
int session_start_daemon(struct err *err);

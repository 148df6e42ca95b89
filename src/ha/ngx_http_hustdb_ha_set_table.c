/*
 * set_table: a new routing table comes as the body of a request.
 *
 * It is checked whole, then made durable in hustdb_ha_state_dir, then put in force: after the 200
 * every request of every worker goes by it, and so it is after a restart. Whatever fails before
 * leaves the old one in force. A lock on a file keeps two of them apart, and goes with its process.
 */
#include "ngx_http_hustdb_ha.h"

#include <sys/file.h>

enum { NAME_BYTES = NGX_MAX_PATH };

/* "DIRECTORY/NAME", NUL-terminated. False: too long. */
static bool make_name(const hust_ha_main_conf_t *conf, const char *name, char out[NAME_BYTES])
{
    const ngx_str_t *directory = &conf->state_dir->name;
    if (directory->len + 1 + ngx_strlen(name) >= NAME_BYTES) {
        return false;
    }
    *ngx_snprintf((u_char *)out, NAME_BYTES - 1, "%V/%s", directory, name) = '\0';
    return true;
}

static ngx_int_t fail(ngx_log_t *log, const char *what, const char *name)
{
    ngx_log_error(NGX_LOG_CRIT, log, ngx_errno, "hustdb: set_table: %s \"%s\" failed", what, name);
    return NGX_ERROR;
}

/* The lock's descriptor, NGX_BUSY or NGX_ERROR. */
static ngx_int_t take_lock(const hust_ha_main_conf_t *conf, ngx_log_t *log)
{
    char name[NAME_BYTES];
    if (!make_name(conf, "lock", name)) {
        return NGX_ERROR;
    }
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd == -1) {
        return fail(log, "opening", name);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
        ngx_int_t rc = ngx_errno == EWOULDBLOCK ? NGX_BUSY : fail(log, "locking", name);
        (void)close(fd);
        return rc;
    }
    return fd;
}

static ngx_int_t write_all(int fd, hust_slice_t content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.data, content.len);
        if (n == -1 && ngx_errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return NGX_ERROR;
        }
        content = hust_slice_of(content.data + n, content.len - (size_t)n);
    }
    return fsync(fd) == 0 ? NGX_OK : NGX_ERROR;
}

/* A new file with that content, on stable storage. */
static ngx_int_t write_file(const char *name, hust_slice_t content, ngx_log_t *log)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd == -1) {
        return fail(log, "opening", name);
    }
    ngx_int_t rc = write_all(fd, content) == NGX_OK ? NGX_OK : fail(log, "writing", name);
    if (close(fd) == -1 && rc == NGX_OK) {
        rc = fail(log, "closing", name);
    }
    if (rc != NGX_OK) {
        (void)unlink(name);
    }
    return rc;
}

/* Make the directory's entries durable. */
static ngx_int_t sync_directory(const hust_ha_main_conf_t *conf, ngx_log_t *log)
{
    const char *name = (const char *)conf->state_dir->name.data;
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1) {
        return fail(log, "opening", name);
    }
    ngx_int_t rc = fsync(fd) == 0 ? NGX_OK : fail(log, "syncing", name);
    (void)close(fd);
    return rc;
}

/* Replace the state file: whenever the power goes, the old one is there or the new one. */
static ngx_int_t replace_state(const hust_ha_main_conf_t *conf, hust_slice_t json, ngx_log_t *log)
{
    char fresh[NAME_BYTES];
    const char *name = (const char *)conf->state_file.data;
    if (!make_name(conf, "routing.json.new", fresh) || write_file(fresh, json, log) != NGX_OK) {
        return NGX_ERROR;
    }
    if (rename(fresh, name) == -1) {
        ngx_int_t rc = fail(log, "renaming to", name);
        (void)unlink(fresh);
        return rc;
    }
    return sync_directory(conf, log);
}

/* The table is good and its nodes are known. Returns what finalizes the request. */
static ngx_int_t put_in_force(ngx_http_request_t *r, hust_ha_main_conf_t *conf,
                              const hust_routing_t *routing)
{
    ngx_log_t *log = r->connection->log;
    hust_slice_t json = hust_routing_json(routing);
    ngx_int_t lock = take_lock(conf, log);
    if (lock == NGX_BUSY) {
        if (hust_ha_add_header(r, "Retry-After", hust_slice_str("1")) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
        return hust_ha_respond_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                     "another set_table is at work\n");
    }
    ngx_int_t rc = lock < 0 ? NGX_ERROR : replace_state(conf, json, log);
    if (rc == NGX_OK) {
        hust_ha_table_publish(conf, json);
    }
    if (lock >= 0) {
        (void)close((int)lock);
    }
    if (rc != NGX_OK) {
        return hust_ha_respond_error(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                     "the table cannot be written to hustdb_ha_state_dir\n");
    }
    ngx_log_error(NGX_LOG_NOTICE, log, 0, "hustdb: a new routing table is in force");
    return hust_ha_respond(r, NGX_HTTP_OK, "text/plain", hust_slice_of(NULL, 0));
}

static ngx_int_t refuse(ngx_http_request_t *r, const char *message)
{
    char line[HUST_ROUTING_MESSAGE_BYTES + 16];
    *ngx_snprintf((u_char *)line, sizeof(line) - 1, "table: %s", message) = '\0';
    return hust_ha_respond_error(r, NGX_HTTP_BAD_REQUEST, line);
}

/* Check everything that can be checked, then put it in force. */
static ngx_int_t take_table(ngx_http_request_t *r, hust_slice_t body)
{
    hust_ha_main_conf_t *conf = ngx_http_get_module_main_conf(r, ngx_http_hustdb_ha_module);
    hust_routing_t *routing = NULL;
    char message[HUST_ROUTING_MESSAGE_BYTES];
    hust_error_t err = hust_routing_parse(body, &routing, message);
    if (err != HUST_OK) {
        return err == HUST_ERR_NOMEM ? NGX_HTTP_INTERNAL_SERVER_ERROR : refuse(r, message);
    }
    ngx_int_t rc;
    ngx_addr_t *addresses = hust_ha_table_resolve(r->pool, routing, message);
    if (addresses == NULL) {
        rc = refuse(r, message);
    } else if (hust_routing_json(routing).len > HUST_HA_TABLE_BYTES_MAX) {
        rc = refuse(r, "larger than 1 MiB");
    } else if (hust_ha_health_enter(conf, routing, addresses) != NGX_OK) {
        rc = hust_ha_respond_error(r, NGX_HTTP_INSUFFICIENT_STORAGE,
                                   "no room for so many new nodes until nginx is restarted\n");
    } else {
        rc = put_in_force(r, conf, routing);
    }
    hust_routing_free(routing);
    return rc;
}

static void body_handler(ngx_http_request_t *r)
{
    hust_slice_t body;
    ngx_int_t rc;
    if (hust_ha_body_bytes(r) > HUST_HA_TABLE_BYTES_MAX) {
        rc = hust_ha_respond_error(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                   "table: larger than 1 MiB\n");
    } else if (hust_ha_body_load(r, &body) != NGX_OK) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    } else if (body.len == 0) {
        rc = refuse(r, "the body is empty");
    } else {
        rc = take_table(r, body);
    }
    ngx_http_finalize_request(r, rc);
}

ngx_int_t hust_ha_set_table(ngx_http_request_t *r)
{
    hust_ha_main_conf_t *conf = ngx_http_get_module_main_conf(r, ngx_http_hustdb_ha_module);
    if (!hust_ha_is_admin(r) || conf->state_dir == NULL) {
        ngx_int_t rc = ngx_http_discard_request_body(r);
        if (rc != NGX_OK) {
            return rc;
        }
        return hust_ha_respond_error(r, NGX_HTTP_FORBIDDEN,
                                     conf->state_dir == NULL
                                         ? "set_table needs a hustdb_ha_state_dir\n"
                                         : "allowed from loopback only\n");
    }
    ngx_int_t rc = ngx_http_read_client_request_body(r, body_handler);
    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}

/*
 * Directives, configuration, and the start and end of a worker.
 */
#include "ngx_http_hustdb_ha.h"

enum { TABLE_FILE_BYTES_MAX = 1024 * 1024 };

static char *set_ha(ngx_conf_t *cf, ngx_command_t *command, void *conf);
static char *set_table(ngx_conf_t *cf, ngx_command_t *command, void *conf);
static void *create_main_conf(ngx_conf_t *cf);
static char *init_main_conf(ngx_conf_t *cf, void *conf);
static void *create_loc_conf(ngx_conf_t *cf);
static char *merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static ngx_int_t init_process(ngx_cycle_t *cycle);
static void exit_process(ngx_cycle_t *cycle);

static ngx_conf_num_bounds_t lane_bounds = {ngx_conf_check_num_bounds, 1, HUST_HA_LANES_MAX};

static ngx_command_t ngx_http_hustdb_ha_commands[] = {
    {ngx_string("hustdb_ha"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, set_ha, NGX_HTTP_LOC_CONF_OFFSET,
     0, NULL},

    {ngx_string("hustdb_ha_table"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, set_table,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},

    {ngx_string("hustdb_ha_admin"),
     NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_FLAG,
     ngx_conf_set_flag_slot, NGX_HTTP_LOC_CONF_OFFSET, offsetof(hust_ha_loc_conf_t, admin), NULL},

    {ngx_string("hustdb_ha_connect_timeout"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
     ngx_conf_set_msec_slot, NGX_HTTP_MAIN_CONF_OFFSET,
     offsetof(hust_ha_main_conf_t, connect_timeout), NULL},

    {ngx_string("hustdb_ha_timeout"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_msec_slot,
     NGX_HTTP_MAIN_CONF_OFFSET, offsetof(hust_ha_main_conf_t, timeout), NULL},

    {ngx_string("hustdb_ha_read_lanes"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_num_slot,
     NGX_HTTP_MAIN_CONF_OFFSET, offsetof(hust_ha_main_conf_t, read_lanes), &lane_bounds},

    {ngx_string("hustdb_ha_write_lanes"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
     ngx_conf_set_num_slot, NGX_HTTP_MAIN_CONF_OFFSET, offsetof(hust_ha_main_conf_t, write_lanes),
     &lane_bounds},

    {ngx_string("hustdb_ha_ttl_maximum"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
     ngx_conf_set_sec_slot, NGX_HTTP_MAIN_CONF_OFFSET, offsetof(hust_ha_main_conf_t, ttl_maximum),
     NULL},

    ngx_null_command,
};

static ngx_http_module_t ngx_http_hustdb_ha_module_ctx = {
    NULL,             /* preconfiguration */
    NULL,             /* postconfiguration */
    create_main_conf, /* create main configuration */
    init_main_conf,   /* init main configuration */
    NULL,             /* create server configuration */
    NULL,             /* merge server configuration */
    create_loc_conf,  /* create location configuration */
    merge_loc_conf,   /* merge location configuration */
};

ngx_module_t ngx_http_hustdb_ha_module = {
    NGX_MODULE_V1,
    &ngx_http_hustdb_ha_module_ctx, /* module context */
    ngx_http_hustdb_ha_commands,    /* module directives */
    NGX_HTTP_MODULE,                /* module type */
    NULL,                           /* init master */
    NULL,                           /* init module */
    init_process,                   /* init process */
    NULL,                           /* init thread */
    NULL,                           /* exit thread */
    exit_process,                   /* exit process */
    NULL,                           /* exit master */
    NGX_MODULE_V1_PADDING,
};

static void *create_main_conf(ngx_conf_t *cf)
{
    hust_ha_main_conf_t *conf = ngx_pcalloc(cf->pool, sizeof(*conf));
    if (conf == NULL) {
        return NULL;
    }
    conf->connect_timeout = NGX_CONF_UNSET_MSEC;
    conf->timeout = NGX_CONF_UNSET_MSEC;
    conf->read_lanes = NGX_CONF_UNSET;
    conf->write_lanes = NGX_CONF_UNSET;
    conf->ttl_maximum = NGX_CONF_UNSET;
    return conf;
}

static char *init_main_conf(ngx_conf_t *cf, void *conf)
{
    hust_ha_main_conf_t *main_conf = conf;
    ngx_conf_init_msec_value(main_conf->connect_timeout, 500);
    ngx_conf_init_msec_value(main_conf->timeout, 2000);
    ngx_conf_init_value(main_conf->read_lanes, 4);
    ngx_conf_init_value(main_conf->write_lanes, 4);
    ngx_conf_init_value(main_conf->ttl_maximum, (time_t)HUST_LIMITS_DEFAULT.ttl_max_s);
    if (main_conf->used_in_file != NULL && main_conf->routing == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"hustdb_ha\" in %s:%ui needs a \"hustdb_ha_table\" in http",
                      main_conf->used_in_file, main_conf->used_at_line);
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

static void *create_loc_conf(ngx_conf_t *cf)
{
    hust_ha_loc_conf_t *conf = ngx_pcalloc(cf->pool, sizeof(*conf));
    if (conf != NULL) {
        conf->admin = NGX_CONF_UNSET;
    }
    return conf;
}

static char *merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    (void)cf;
    hust_ha_loc_conf_t *previous = parent;
    hust_ha_loc_conf_t *conf = child;
    ngx_conf_merge_value(conf->admin, previous->admin, 0);
    return NGX_CONF_OK;
}

static char *set_ha(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    (void)command;
    (void)conf;
    ngx_http_core_loc_conf_t *core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    core->handler = hust_ha_handler;
    hust_ha_main_conf_t *main_conf =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_hustdb_ha_module);
    if (main_conf->used_in_file == NULL) {
        main_conf->used_in_file = cf->conf_file->file.name.data;
        main_conf->used_at_line = cf->conf_file->line;
    }
    return NGX_CONF_OK;
}

/* The whole file; an empty slice after an error, which is logged. */
static hust_slice_t read_table_file(ngx_conf_t *cf, ngx_str_t *name)
{
    hust_slice_t content = {NULL, 0};
    ngx_file_t file;
    ngx_memzero(&file, sizeof(file));
    file.name = *name;
    file.log = cf->log;
    file.fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "cannot open routing table \"%V\"", name);
        return content;
    }
    u_char *data = ngx_pnalloc(cf->temp_pool, TABLE_FILE_BYTES_MAX + 1);
    ssize_t n = data == NULL ? NGX_ERROR : ngx_read_file(&file, data, TABLE_FILE_BYTES_MAX + 1, 0);
    if (n == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "cannot read routing table \"%V\"", name);
    } else if (n == 0 || n > TABLE_FILE_BYTES_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "routing table \"%V\" is %s", name,
                           n == 0 ? "empty" : "larger than 1 MiB");
    } else {
        content = hust_slice_of(data, (size_t)n);
    }
    ngx_close_file(file.fd);
    return content;
}

static void free_routing(void *data)
{
    hust_routing_free(data);
}

/* Turn the nodes' names into addresses. */
static ngx_int_t resolve_peers(ngx_conf_t *cf, hust_ha_main_conf_t *conf)
{
    unsigned count = hust_routing_peer_count(conf->routing);
    conf->addresses = ngx_pcalloc(cf->pool, count * sizeof(*conf->addresses));
    conf->health = ngx_pcalloc(cf->pool, count * sizeof(*conf->health));
    if (conf->addresses == NULL || conf->health == NULL) {
        return NGX_ERROR;
    }
    for (unsigned i = 0; i < count; i++) {
        const hust_peer_t *peer = hust_routing_peer(conf->routing, i);
        ngx_url_t url;
        ngx_memzero(&url, sizeof(url));
        url.url.data = (u_char *)peer->address;
        url.url.len = ngx_strlen(peer->address);
        if (ngx_parse_url(cf->pool, &url) != NGX_OK || url.naddrs == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "node \"%s\" of routing table \"%V\": %s",
                               peer->address, &conf->table_file,
                               url.err == NULL ? "no address" : url.err);
            return NGX_ERROR;
        }
        conf->addresses[i] = url.addrs[0];
    }
    return NGX_OK;
}

static char *set_table(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    (void)command;
    hust_ha_main_conf_t *main_conf = conf;
    if (main_conf->routing != NULL) {
        return (char *)"is duplicate";
    }
    ngx_str_t *arguments = cf->args->elts;
    main_conf->table_file = arguments[1];
    if (ngx_conf_full_name(cf->cycle, &main_conf->table_file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    hust_slice_t content = read_table_file(cf, &main_conf->table_file);
    if (content.len == 0) {
        return NGX_CONF_ERROR;
    }
    char message[HUST_ROUTING_MESSAGE_BYTES];
    if (hust_routing_parse(content, &main_conf->routing, message) != HUST_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "routing table \"%V\": %s", &main_conf->table_file,
                           message);
        return NGX_CONF_ERROR;
    }
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(cf->pool, 0);
    if (cleanup == NULL) {
        hust_routing_free(main_conf->routing);
        return NGX_CONF_ERROR;
    }
    cleanup->handler = free_routing;
    cleanup->data = main_conf->routing;
    if (resolve_peers(cf, main_conf) != NGX_OK ||
        hust_ha_health_add_zone(cf, main_conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

static hust_ha_main_conf_t *cycle_conf(ngx_cycle_t *cycle)
{
    if (ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL) {
        return NULL; /* no http {} */
    }
    return ngx_http_cycle_get_module_main_conf(cycle, ngx_http_hustdb_ha_module);
}

static ngx_int_t init_process(ngx_cycle_t *cycle)
{
    hust_ha_main_conf_t *conf = cycle_conf(cycle);
    bool serves = ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE;
    if (conf == NULL || conf->routing == NULL || !serves) {
        return NGX_OK;
    }
    return hust_ha_worker(conf) == NULL ? NGX_ERROR : NGX_OK;
}

static void exit_process(ngx_cycle_t *cycle)
{
    hust_ha_main_conf_t *conf = cycle_conf(cycle);
    if (conf != NULL && conf->worker != NULL) {
        hust_ha_worker_free(conf->worker);
        conf->worker = NULL;
    }
}

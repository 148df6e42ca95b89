/*
 * Directives, configuration, and the start and end of a worker.
 */
#include "ngx_http_hustdb_ha.h"

static char *set_ha(ngx_conf_t *cf, ngx_command_t *command, void *conf);
static char *set_table(ngx_conf_t *cf, ngx_command_t *command, void *conf);
static ngx_int_t add_log_handler(ngx_conf_t *cf);
static void *create_main_conf(ngx_conf_t *cf);
static char *init_main_conf(ngx_conf_t *cf, void *conf);
static void *create_loc_conf(ngx_conf_t *cf);
static char *merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static ngx_int_t init_module(ngx_cycle_t *cycle);
static ngx_int_t init_process(ngx_cycle_t *cycle);
static void exit_process(ngx_cycle_t *cycle);

static ngx_conf_num_bounds_t lane_bounds = {ngx_conf_check_num_bounds, 1, HUST_HA_LANES_MAX};

static ngx_command_t ngx_http_hustdb_ha_commands[] = {
    {ngx_string("hustdb_ha"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, set_ha, NGX_HTTP_LOC_CONF_OFFSET,
     0, NULL},

    {ngx_string("hustdb_ha_table"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, set_table,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},

    {ngx_string("hustdb_ha_state_dir"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_path_slot,
     NGX_HTTP_MAIN_CONF_OFFSET, offsetof(hust_ha_main_conf_t, state_dir), NULL},

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
    add_log_handler,  /* postconfiguration */
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
    init_module,                    /* init module */
    init_process,                   /* init process */
    NULL,                           /* init thread */
    NULL,                           /* exit thread */
    exit_process,                   /* exit process */
    NULL,                           /* exit master */
    NGX_MODULE_V1_PADDING,
};

static ngx_int_t add_log_handler(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t *core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    ngx_http_handler_pt *handler = ngx_array_push(&core->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (handler == NULL) {
        return NGX_ERROR;
    }
    *handler = hust_ha_log_handler;
    return NGX_OK;
}

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
    if (main_conf->used_in_file != NULL && main_conf->table_file.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"hustdb_ha\" in %s:%ui needs a \"hustdb_ha_table\" in http",
                      main_conf->used_in_file, main_conf->used_at_line);
        return NGX_CONF_ERROR;
    }
    if (main_conf->table_file.len > 0 && hust_ha_table_load(cf, main_conf) != NGX_OK) {
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

static char *set_table(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    (void)command;
    hust_ha_main_conf_t *main_conf = conf;
    if (main_conf->table_file.len > 0) {
        return (char *)"is duplicate";
    }
    ngx_str_t *arguments = cf->args->elts;
    main_conf->table_file = arguments[1];
    if (ngx_conf_full_name(cf->cycle, &main_conf->table_file, 1) != NGX_OK) {
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

static ngx_int_t init_module(ngx_cycle_t *cycle)
{
    hust_ha_main_conf_t *conf = cycle_conf(cycle);
    if (conf != NULL && conf->routing != NULL) {
        hust_ha_table_commit(conf);
    }
    return NGX_OK;
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

/*
 * What nginx looks for in a dynamic module; nginx's auto/make writes the like for its own.
 */
#include <ngx_config.h>
#include <ngx_core.h>

extern ngx_module_t ngx_http_hustdb_ha_module;

#pragma GCC visibility push(default)

extern ngx_module_t *ngx_modules[];
extern char *ngx_module_names[];
extern char *ngx_module_order[];

ngx_module_t *ngx_modules[] = {
    &ngx_http_hustdb_ha_module,
    NULL,
};

char *ngx_module_names[] = {
    (char *)"ngx_http_hustdb_ha_module",
    NULL,
};

/* A content handler needs no place among the filters. */
char *ngx_module_order[] = {
    NULL,
};

#pragma GCC visibility pop

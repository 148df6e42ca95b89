#include "node/http_client.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CONNECT_TIMEOUT_MS = 500,
    SILENCE_S = 5, /* no byte either way for so long: nobody is there */
};

/* An answer is a few results, or one of the largest values twice (a conflict) and its heads. */
static const size_t REPLY_BYTES_MAX = ((size_t)2 << 30) + ((size_t)1 << 20);

struct hust_http_client {
    char *url;
    bool (*stopping)(void *user);
    void *user;
    CURL *curl; /* NULL: at rest */
    struct curl_slist *headers;
    hust_buf_t *reply; /* of the request under way */
    hust_error_t reply_error;
    char error[CURL_ERROR_SIZE];
};

hust_error_t hust_http_client_setup(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? HUST_OK : HUST_ERR_IO;
}

void hust_http_client_cleanup(void)
{
    curl_global_cleanup();
}

hust_http_client_t *hust_http_client_new(const char *url, bool (*stopping)(void *user), void *user)
{
    hust_http_client_t *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return NULL;
    }
    client->stopping = stopping;
    client->user = user;
    client->url = strdup(url);
    client->headers = curl_slist_append(NULL, "Content-Type: application/octet-stream");
    /* Waiting for "100 Continue" would only cost a round trip. */
    if (client->headers == NULL || curl_slist_append(client->headers, "Expect:") == NULL ||
        client->url == NULL) {
        hust_http_client_free(client);
        return NULL;
    }
    return client;
}

void hust_http_client_rest(hust_http_client_t *client)
{
    if (client->curl != NULL) {
        curl_easy_cleanup(client->curl);
        client->curl = NULL;
    }
}

void hust_http_client_free(hust_http_client_t *client)
{
    if (client == NULL) {
        return;
    }
    hust_http_client_rest(client);
    curl_slist_free_all(client->headers);
    free(client->url);
    free(client);
}

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    hust_http_client_t *client = user;
    size_t len = size * count;
    assert(client->reply != NULL);
    if (client->reply->len + len > REPLY_BYTES_MAX) {
        return 0;
    }
    client->reply_error = hust_buf_append(client->reply, data, len);
    return client->reply_error == HUST_OK ? len : 0;
}

static int on_progress(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    hust_http_client_t *client = user;
    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return client->stopping(client->user) ? 1 : 0;
}

/* What is the same for every request. */
static bool prepare(hust_http_client_t *client)
{
    CURL *curl = client->curl != NULL ? client->curl : curl_easy_init();
    if (curl == NULL || client->curl != NULL) {
        return curl != NULL;
    }
    client->curl = curl;
    curl_easy_setopt(curl, CURLOPT_URL, client->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, client);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->error);
    return true;
}

hust_error_t hust_http_client_post(hust_http_client_t *client, hust_slice_t body, hust_buf_t *reply,
                                   unsigned *status, char message[HUST_HTTP_CLIENT_MESSAGE_BYTES])
{
    long code = 0;
    if (!prepare(client)) {
        return HUST_ERR_NOMEM;
    }
    hust_buf_clear(reply);
    client->reply = reply;
    client->reply_error = HUST_OK;
    client->error[0] = '\0';
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body.data);
    CURLcode outcome = curl_easy_perform(client->curl);
    client->reply = NULL;
    if (outcome != CURLE_OK) {
        const char *text = client->error[0] == '\0' ? curl_easy_strerror(outcome) : client->error;
        snprintf(message, HUST_HTTP_CLIENT_MESSAGE_BYTES, "%s", text);
        hust_http_client_rest(client);
        return client->reply_error == HUST_OK ? HUST_ERR_IO : client->reply_error;
    }
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &code);
    *status = (unsigned)code;
    return HUST_OK;
}

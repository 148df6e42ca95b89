#!/bin/sh
# Make the headers that nginx's own configure generates (objs/ngx_auto_config.h and friends), with
# the flags of the packaged nginx, so that our module fits it.
#
#   configure-nginx.sh NGINX_SOURCE DIRECTORY
#
# NGINX_SOURCE is /usr/share/nginx/src of Debian's nginx-dev; DIRECTORY is made and belongs to us.
set -eu

source=$1
directory=$2

if [ ! -f "$source/conf_flags" ]; then
    echo "$source/conf_flags is missing: is nginx-dev installed?" >&2
    exit 1
fi
# Nothing to do unless nginx-dev is newer than what we made from it.
if [ -f "$directory/done" ] && [ "$directory/done" -nt "$source/conf_flags" ]; then
    exit 0
fi

rm -rf "$directory"
mkdir -p "$directory"
cd "$directory"
ln -s "$source/auto" "$source/src" "$source/configure" "$source/conf_flags" .
# conf_flags defines an array, which sh does not have.
if ! bash -c '. ./conf_flags && ./configure "${NGX_CONF_FLAGS[@]}"' >configure.log 2>&1; then
    tail -n 5 configure.log >&2
    echo "nginx's configure failed, see $directory/configure.log" >&2
    exit 1
fi
touch done

#!/bin/sh
# build-sanitized-nginx.sh DIR: build DIR/nginx from Debian's source package of the installed nginx,
# with AddressSanitizer and with NGX_DEBUG_PALLOC, so that every allocation from a pool is a malloc
# of its own and an overflow inside a pool is seen. It loads the same modules as the packaged nginx.
#
# Exits 0 when DIR/nginx is there, 1 with one line saying why not. Works in DIR alone: the package
# lists for sources are fetched into it and the system's own are left as they are. UBSan is only in
# our module: nginx itself does, harmlessly, what UBSan objects to (memcpy of nothing from NULL).
set -eu

PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export PATH

fail()
{
    echo "no sanitized nginx: $* (all of it: $dir/log)" >&2
    exit 1
}

mkdir -p "$1"
dir=$(cd "$1" && pwd -P)
# shellcheck disable=SC2016 # dpkg-query expands it
version=$(dpkg-query -W -f '${source:Version}' nginx)
if [ -x "$dir/nginx" ] && [ "$(cat "$dir/version" 2>/dev/null)" = "$version" ]; then
    exit 0
fi
echo "building nginx $version with AddressSanitizer in $dir (a minute or two)"
rm -rf "$dir/nginx" "$dir/source" "$dir/apt"
mkdir -p "$dir/source" "$dir/apt/sources.d" "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
: >"$dir/log"

# The same archives that packages come from, asked for sources.
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] || continue
    case $file in
    *.sources) sed 's/^Types:.*/Types: deb-src/' "$file" >"$dir/apt/sources.d/${file##*/}" ;;
    *) sed -n 's/^deb\([[:space:]]\)/deb-src\1/p' "$file" >"$dir/apt/sources.d/from-${file##*/}" ;;
    esac
done

apt()
{
    apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$dir/apt/sources.d" \
        -o Dir::State::Lists="$dir/apt/lists" -o Dir::Cache="$dir/apt/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none -o Acquire::Retries=2 \
        -o Acquire::http::Timeout=30 "$@" </dev/null >>"$dir/log" 2>&1
}

cd "$dir/source"
# Some archive that has no sources may fail; what counts is whether nginx's can be had.
apt update || true
apt source --download-only "nginx=$version" || fail "the source package nginx $version cannot be had"
dpkg-source -x ./*.dsc nginx >>"$dir/log" 2>&1 || fail "the source package cannot be unpacked"
cd nginx

# What the packaged nginx was configured with, apart from modules that are files of their own.
features=$(nginx -V 2>&1 | sed -n 's/^configure arguments: //p' | tr ' ' '\n' |
    grep -E '^--with-[a-z0-9_-]+$' | sort -u)
# Programs that configure tries out leak, which must not make them fail.
export ASAN_OPTIONS=detect_leaks=0
# shellcheck disable=SC2086 # one word for each feature
./configure $features --prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf \
    --error-log-path=stderr --pid-path=/run/nginx.pid --modules-path=/usr/lib/nginx/modules \
    --with-cc-opt='-g -O1 -fsanitize=address -fno-omit-frame-pointer -DNGX_DEBUG_PALLOC=1 -Wno-error' \
    --with-ld-opt='-fsanitize=address -Wl,-E' >>"$dir/log" 2>&1 || fail "configure failed"
make -j"$(nproc)" >>"$dir/log" 2>&1 || fail "make failed"

# A module is loaded only if its signature is that of nginx, so the two must be the same here.
signature()
{
    grep -aoE '8,4,8,[01]{30,}' "$1" | head -n 1
}
packaged=$(signature "$(command -v nginx)")
if [ -z "$packaged" ] || [ "$(signature objs/nginx)" != "$packaged" ]; then
    fail "its module signature is not that of the packaged nginx"
fi
cp objs/nginx "$dir/nginx"
cd "$dir"
rm -rf source apt
echo "$version" >version

# A PostgreSQL for tests, in a fresh folder: prints its address, and ends with all it made when its input ends.
# PostgreSQL refuses to run as root, so root becomes `nobody`.
set -e
programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
if [ -z "$programs" ]; then
    echo "PostgreSQL is not installed: \`apt-get install postgresql\`, or name a server in TEST_DATABASE_URL," >&2
    echo "or skip these tests with REENACT_SKIP_POSTGRES=1" >&2
    exit 1
fi
dir=$(mktemp -d "${TMPDIR:-/tmp}/reenact-postgres-XXXXXX")
as=""
if [ "$(id -u)" = 0 ]; then
    chown nobody "$dir"
    as="setpriv --reuid=nobody --regid=nogroup --clear-groups"
fi
trap 'kill -INT "$server" 2>/dev/null; wait "$server" 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
$as "$programs/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1 || {
    cat "$dir/log" >&2
    exit 1
}
cd "$dir"
$as "$programs/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c fsync=off -c max_connections=300 \
    >>"$dir/log" 2>&1 &
server=$!
n=0
until "$programs/pg_isready" -q -h "$dir"; do
    n=$((n + 1))
    if [ $n -gt 300 ] || ! kill -0 "$server"; then cat "$dir/log" >&2; exit 1; fi
    sleep 0.1
done
echo "postgres://postgres@localhost/postgres?host=$dir"
read -r _ || true

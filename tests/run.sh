#!/usr/bin/env bash
# Builds everything and runs every test. Installs what is missing (Debian: apt-get; elsewhere it says what to install).
# The last line is "N passed, N failed" (", N skipped" if any), summed over all test projects; a failure or a skip is a non-zero exit.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

# The browser test drives Debian's Chromium; IDEMPOTENCY_TEST_CHROMIUM names another.
if [ -z "${IDEMPOTENCY_TEST_CHROMIUM:-}" ] && ! command -v chromium >/dev/null; then
    if command -v apt-get >/dev/null; then
        as_root=$([ "$(id -u)" = 0 ] || echo sudo)
        $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends chromium >/dev/null
    fi
    command -v chromium >/dev/null || { echo "The browser test needs Chromium: install it, or set IDEMPOTENCY_TEST_CHROMIUM to its path." >&2; exit 1; }
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

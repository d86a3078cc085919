#!/usr/bin/env bash
# Generates clients from the sample's OpenAPI document with NSwag and with Kiota, compiles them, and has them read the code and the advice of real rejections.
# It is not a part of tests/run.sh, because it installs two tools and takes about a minute. Run it after a change of Idempotency.AspNetCore.OpenApi.
# It needs the .NET 10 SDK, curl and NuGet, leaves nothing in the repository but what a build does, and exits with the number of checks that failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

work=$(mktemp -d)
sample=
trap '[ -z "$sample" ] || kill "$sample" 2>/dev/null; rm -rf "$work"' EXIT

dotnet tool install --tool-path "$work/tools" NSwag.ConsoleCore --version 14.7.1
dotnet tool install --tool-path "$work/tools" Microsoft.OpenApi.Kiota --version 1.38.0

dotnet build samples/Payments -c Release --nologo -v quiet
(cd samples/Payments && Store=InMemory ConnectionStrings__Sqlite="Data Source=$work/payments.db" exec dotnet bin/Release/net10.0/Payments.dll --urls http://127.0.0.1:0) >"$work/sample.log" 2>&1 &
sample=$!
for _ in $(seq 600); do
    address=$(grep -om1 'Now listening on: http://[^ ]*' "$work/sample.log" | cut -d' ' -f4 || true)
    [ -z "$address" ] || break
    kill -0 "$sample" || { cat "$work/sample.log" >&2; exit 1; }
    sleep 0.1
done
curl -sf "$address/openapi/v1.json" -o "$work/openapi.json"

mkdir "$work/check"
cp tests/tools/generated-clients/* "$work/check"
"$work/tools/nswag" openapi2csclient /input:"$work/openapi.json" /output:"$work/check/NSwag.cs" /namespace:Generated.NSwag /classname:PaymentsClient /jsonLibrary:SystemTextJson >/dev/null
"$work/tools/kiota" generate -l CSharp -d "$work/openapi.json" -o "$work/check/Kiota" -n Generated.Kiota -c PaymentsApi --exclude-backward-compatible >/dev/null
dotnet run --project "$work/check" -- "$address"

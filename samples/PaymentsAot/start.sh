#!/usr/bin/env bash
# How long the native program and the JIT-compiled build take to their first response, and what memory they have then: side by side, five times each, fastest first.
# Run "dotnet publish samples/PaymentsAot -c Release -o artifacts" before. Needs Linux and curl.
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

start() { # NAME PROGRAM...
    local name=$1 began
    shift
    began=$(date +%s%N)
    "$@" --urls http://127.0.0.1:5997 >/dev/null &
    until curl -sf http://127.0.0.1:5997/payments -o /dev/null; do sleep 0.005; done
    echo "$name: $((($(date +%s%N) - began) / 1000000)) ms, $(($(awk '/VmRSS/ { print $2 }' "/proc/$!/status") / 1024)) MB"
    kill $!
    wait $! 2>/dev/null
}

for _ in 1 2 3 4 5; do
    start native artifacts/PaymentsAot
    start JIT dotnet samples/PaymentsAot/bin/Release/net10.0/*/PaymentsAot.dll
done | sort -k1,1r -k2,2n

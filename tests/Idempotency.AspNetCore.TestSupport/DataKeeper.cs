namespace Idempotency.AspNetCore.Tests;

/// <summary>Ends a server and deletes its data directory, also when the test process is gone and nobody is left to ask for it: the pipe from it is then closed.</summary>
internal static class DataKeeper
{
    /// <summary>The environment variable that names the directory.</summary>
    public const string Data = "IDEMPOTENCY_TEST_DATA";

    /// <summary>For <c>sh -c</c>; its arguments are the server's command.</summary>
    public const string Script = $"""
        exec 3<&0
        "$@" & server=$!
        (cat <&3 >/dev/null; kill -QUIT $server) & watch=$!
        wait $server
        kill $watch 2>/dev/null
        rm -rf "${Data}"
        """;
}

using StackExchange.Redis;

namespace Idempotency.AspNetCore;

/// <summary>Parses StackExchange.Redis configuration strings, and adapts options for the store.</summary>
internal static class RedisConfiguration
{
    /// <summary>The options of the store's own connection.</summary>
    public static ConfigurationOptions ForOwnConnection(ConfigurationOptions options, TimeSpan callTimeout)
    {
        var own = options.Clone();
        own.AsyncTimeout = (int)callTimeout.TotalMilliseconds;

        // A server that starts after the application is connected to when it is available. Until then, and whenever it is unavailable, calls fail immediately: queued
        // calls would delay the 503 of each request.
        own.AbortOnConnectFail = false;
        if (own.BacklogPolicy == BacklogPolicy.Default)
        {
            own.BacklogPolicy = BacklogPolicy.FailFast;
        }

        return own;
    }

    // A server, and not the value of a setting: a password can contain anything but a comma.
    private static bool IsUri(string part) => part.IndexOf("://", StringComparison.Ordinal) is >= 0 and var at && !part.AsSpan(0, at).Contains('=');

    /// <summary>The reason why a string is not a valid configuration; null if it is.</summary>
    public static string? WhyInvalid(string configuration)
    {
        if (configuration.Split(',').Any(IsUri))
        {
            return "is a URI. Use 'host:port' instead, followed by ',ssl=true', ',user=...' and ',password=...' as needed.";
        }

        try
        {
            return configuration.Length > 0 && ConfigurationOptions.Parse(configuration).EndPoints.Count > 0
                ? null
                : "has no server. Start it with one, for example 'localhost:6379'.";
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or NotImplementedException or NotSupportedException)
        {
            // The client's own message contains the part that it cannot parse, which can be a password.
            return configuration.Contains("tunnel=", StringComparison.OrdinalIgnoreCase)
                ? "cannot be parsed. Write a tunnel as 'tunnel=http:proxy:port'."
                : "is not a StackExchange.Redis configuration string, for example 'localhost:6379' or 'host:6380,ssl=true,password=...'.";
        }
    }
}

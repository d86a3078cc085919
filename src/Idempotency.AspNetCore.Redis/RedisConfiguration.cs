using StackExchange.Redis;

namespace Idempotency.AspNetCore;

/// <summary>StackExchange.Redis configuration strings, and what the store makes of them.</summary>
internal static class RedisConfiguration
{
    /// <summary>The options of a connection of the store's own.</summary>
    public static ConfigurationOptions ForOwnConnection(ConfigurationOptions options, TimeSpan callTimeout)
    {
        var own = options.Clone();
        own.AsyncTimeout = (int)callTimeout.TotalMilliseconds;

        // A server that comes up after the application is connected to when it does. Until then, and whenever it is away, calls fail at once: what is
        // queued meanwhile would make each request wait for its 503.
        own.AbortOnConnectFail = false;
        if (own.BacklogPolicy == BacklogPolicy.Default)
        {
            own.BacklogPolicy = BacklogPolicy.FailFast;
        }

        return own;
    }

    /// <summary>Why a string is not a configuration; null when it is one.</summary>
    public static string? WhyInvalid(string configuration)
    {
        if (configuration.Contains("://", StringComparison.Ordinal) && !configuration.Contains("tunnel=", StringComparison.OrdinalIgnoreCase))
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
            // The client's own message names the part that it does not understand, and may repeat it: that can be a password.
            return configuration.Contains("tunnel=", StringComparison.OrdinalIgnoreCase)
                ? "cannot be parsed. Write a tunnel as 'tunnel=http:proxy:port'."
                : "is not a StackExchange.Redis configuration string, for example 'localhost:6379' or 'host:6380,ssl=true,password=...'.";
        }
    }
}

namespace Idempotency.AspNetCore;

/// <summary>Whether <c>AddIdempotency()</c> was called anywhere in this process.</summary>
/// <remarks>
/// A single endpoint learns its application's services when it is built, which is at the first request. An application has called <c>AddIdempotency()</c> before it maps an endpoint, or never; so where nobody has called it, the
/// mistake can be reported while the application maps. In a process with several applications, one that calls it hides another that does not: that one fails when its endpoints are built.
/// </remarks>
internal static class ProcessRegistration
{
    private static volatile bool _isSeen;

    public static bool IsSeen => _isSeen;

    public static void See() => _isSeen = true;
}

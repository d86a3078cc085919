using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http.Features;

namespace Idempotency.AspNetCore;

/// <summary>Features by their type.</summary>
/// <remarks>
/// The generic <c>Get&lt;T&gt;</c> and <c>Set&lt;T&gt;</c> are not used: they are generic interface methods, which the runtime resolves through a table at every call. The indexer is
/// a plain call, and a protected request makes about twenty of them.
/// </remarks>
internal static class FeatureAccess
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // where the type is known
    public static T? Find<T>(this IFeatureCollection features)
        where T : class => (T?)features[typeof(T)];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put<T>(this IFeatureCollection features, T? feature)
        where T : class => features[typeof(T)] = feature;
}

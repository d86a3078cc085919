using System.Reflection;

namespace Idempotency.AspNetCore.ManyServers.Tests;

/// <summary>Where things are, as the project file says.</summary>
internal static class FromBuild
{
    public static string Value(string name) =>
        Path.GetFullPath(typeof(FromBuild).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(attribute => attribute.Key == name).Value!);
}

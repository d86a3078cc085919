using System.Globalization;
using System.Runtime.CompilerServices;

namespace Idempotency.AspNetCore.Tests;

/// <summary>This test project runs in a culture with decimal commas and its own date formats, so that every test shows that nothing on the wire depends on the culture.</summary>
internal static class GermanCulture
{
    [ModuleInitializer]
    internal static void Set() => CultureInfo.CurrentCulture = CultureInfo.DefaultThreadCurrentCulture = CultureInfo.GetCultureInfo("de-DE");
}

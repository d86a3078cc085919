using System.Reflection;
using System.Runtime.CompilerServices;
using PublicApiGenerator;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Compares the public API of an assembly with the approved one, so that a change of it is seen in review.</summary>
public static class PublicApi
{
    // By default the generator leaves out the namespaces System and Microsoft, and the extension methods of registration are in the latter.
    // The compiler's own mark on an iterator has a number that changes with the members around it, and xUnit's marks have the line in the source.
    private static readonly ApiGeneratorOptions Options = new()
    {
        IncludeAssemblyAttributes = false,
        DenyNamespacePrefixes = [],
        ExcludeAttributes = ["System.Runtime.CompilerServices.AsyncIteratorStateMachineAttribute", "Xunit.FactAttribute", "Xunit.TheoryAttribute"],
    };

    /// <summary>Fails unless the public API of an assembly is the one in the file beside the test.</summary>
    public static void AssertApproved(Assembly assembly, [CallerFilePath] string test = "")
    {
        var approved = Path.Combine(Path.GetDirectoryName(test)!, "PublicApi.approved.txt");
        var actual = assembly.GeneratePublicApi(Options).ReplaceLineEndings("\n");
        if (File.Exists(approved) && File.ReadAllText(approved) == actual)
        {
            return;
        }

        var received = Path.Combine(AppContext.BaseDirectory, "PublicApi.received.txt");
        File.WriteAllText(received, actual);
        Assert.Fail($"The public API has changed. Compare {received} with {approved}. If the change is intended, replace the approved file and describe the change in CHANGELOG.md.");
    }
}

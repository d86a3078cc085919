using System.Reflection;

namespace Idempotency.AspNetCore.StoreConformance.Tests;

/// <summary>The conformance tests find what is wrong with a store, and the package is what it says it is.</summary>
public sealed class FaultTests
{
    public static TheoryData<Fault> Faults => [.. Enum.GetValues<Fault>()];

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_store_that_breaks_a_rule_fails_and_one_that_keeps_them_all_passes(Fault fault)
    {
        var failed = new List<string>();
        foreach (var test in typeof(StoreConformanceTests).GetMethods().Where(method => method.GetCustomAttribute<FactAttribute>() is not null))
        {
            var inputs = test.GetCustomAttributes<InlineDataAttribute>().Select(data => data.Data).DefaultIfEmpty([]);
            foreach (var input in inputs)
            {
                if (await Record.ExceptionAsync(() => (Task)test.Invoke(new Run(fault), input)!) is not null)
                {
                    failed.Add(test.Name);
                }
            }
        }

        Assert.Equal(fault == Fault.None, failed.Count == 0);
    }

    [Fact]
    public void The_public_API_is_the_approved_one() => PublicApi.AssertApproved(typeof(StoreConformanceTests).Assembly);

    [Fact]
    public void The_package_refers_to_nothing_but_the_core_and_xunit() => Assert.All(
        typeof(StoreConformanceTests).Assembly.GetReferencedAssemblies().Select(assembly => assembly.Name!),
        name => Assert.True(name == "Idempotency.AspNetCore" || name.StartsWith("System.", StringComparison.Ordinal) || name.StartsWith("xunit.v3.", StringComparison.Ordinal), name));

    [Fact]
    public async Task The_code_of_the_readme_is_what_runs_here()
    {
        var folder = Folder();
        var readme = await File.ReadAllTextAsync(Path.Combine(folder, "../../src/Idempotency.AspNetCore.StoreConformance/README.md"), TestContext.Current.CancellationToken);
        var code = readme.Split("```csharp\n")[1].Split("```")[0].Trim();
        Assert.EndsWith(code, (await File.ReadAllTextAsync(Path.Combine(folder, "DictionaryStoreTests.cs"), TestContext.Current.CancellationToken)).Trim(), StringComparison.Ordinal);
    }

    private static string Folder([System.Runtime.CompilerServices.CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;

    private sealed class Run : StoreConformanceTests
    {
        private readonly FakeTimeProvider _time = new();

        public Run(Fault fault) => Store = new DictionaryStore(_time, fault);

        protected override IIdempotencyStore Store { get; }

        protected override Task PassAsync(TimeSpan time)
        {
            _time.Advance(time);
            return Task.CompletedTask;
        }
    }
}

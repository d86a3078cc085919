using System.Collections;
using System.Globalization;
using System.Reflection;
using Idempotency.Http;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>Tables of options have every option, and the default that the code has.</summary>
public sealed class DefaultsTests
{
    // A default that no value shows.
    private static readonly Dictionary<string, string> InWords = new(StringComparer.Ordinal)
    {
        ["IdempotencyOptions.DefaultPolicy"] = "the defaults above",
        ["IdempotencyKeyOptions.GenerateKey"] = "a version 4 UUID",
        ["DynamoDBIdempotencyStoreOptions.TableName"] = "required",
    };

    private static readonly object[] Options =
    [
        new IdempotencyPolicy(), new IdempotencyOptions(), new InMemoryIdempotencyStoreOptions(), new RedisIdempotencyStoreOptions(), new DynamoDBIdempotencyStoreOptions(),
        new EntityFrameworkCoreIdempotencyStoreOptions(), new JmesPathOptions(), new ResponseProtectionOptions(), new StepOptions(), new IdempotentCallOptions(), new IdempotentBatchOptions<int>(), new IdempotencyKeyOptions(),
    ];

    public static TheoryData<string> Pages() => [.. Repository.Pages()];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_default_on_a_page_is_the_codes(string path)
    {
        var page = Repository.Read(path);
        var tables = Markdown.DefaultTables(page).ToList();
        Assert.Equal(Markdown.TablesWithDefaults(page), tables.Count);
        foreach (var (type, rows) in tables)
        {
            var options = Assert.Single(Options, options => Name(options) == type);
            Assert.Equal(Settings(options).Select(property => property.Name).Order(StringComparer.Ordinal), rows.Select(row => row.Name).Order(StringComparer.Ordinal));
            Assert.All(rows, row => Assert.Equal(Default(options, row.Name), row.Default.Replace("`", "", StringComparison.Ordinal)));
        }
    }

    [Fact]
    public void Every_class_of_options_has_a_table() => Assert.Equal(
        Options.Select(Name).Order(StringComparer.Ordinal),
        Repository.Pages().SelectMany(path => Markdown.DefaultTables(Repository.Read(path))).Select(table => table.Type).Distinct().Order(StringComparer.Ordinal));

    private static string Name(object options) => options.GetType().Name.Split('`')[0];

    private static IEnumerable<PropertyInfo> Settings(object options) => options.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(property => property.Name != nameof(IdempotencyOptions.Policies) && (property.SetMethod is { IsPublic: true } || property.PropertyType.IsAssignableTo(typeof(IEnumerable))));

    private static string Default(object options, string name) =>
        InWords.TryGetValue($"{Name(options)}.{name}", out var words) ? words : Text(options.GetType().GetProperty(name)!.GetValue(options));

    private static string Text(object? value) => value switch
    {
        null => "none",
        bool flag => flag ? "true" : "false",
        string text => text,
        TimeSpan time => Duration(time),
        int or long when Convert.ToInt64(value, CultureInfo.InvariantCulture) is >= 1 << 20 and var bytes && bytes % (1 << 20) == 0 =>
            bytes % (1 << 30) == 0 ? string.Create(CultureInfo.InvariantCulture, $"{bytes >> 30} GiB") : string.Create(CultureInfo.InvariantCulture, $"{bytes >> 20} MiB"),
        int or long => Convert.ToInt64(value, CultureInfo.InvariantCulture).ToString("#,0", CultureInfo.InvariantCulture),
        Enum => value.ToString()!,
        IEnumerable list => list.Cast<object>().ToList() is { Count: > 0 } items ? string.Join(", ", items) : "none",
        _ => throw new InvalidOperationException($"Say in {nameof(InWords)} how a page writes the default '{value}'."),
    };

    private static string Duration(TimeSpan time) => time switch
    {
        { TotalHours: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.TotalHours} hours"),
        { TotalMinutes: > 1 } => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMinutes} minutes"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds} seconds"),
    };
}

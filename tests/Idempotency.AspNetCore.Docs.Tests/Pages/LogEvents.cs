using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The log events that pages name by their number.</summary>
internal static partial class LogEvents
{
    private static readonly Lazy<IReadOnlyDictionary<int, LoggerMessageAttribute>> Found = new(() =>
        new[] { typeof(IdempotencyPolicy).Assembly, typeof(RedisIdempotencyStoreOptions).Assembly, typeof(EntityFrameworkCoreIdempotencyStoreOptions).Assembly }
            .SelectMany(assembly => assembly.GetTypes().Where(type => type.Name == "Log"))
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static))
            .Select(method => method.GetCustomAttribute<LoggerMessageAttribute>()).OfType<LoggerMessageAttribute>()
            .ToDictionary(log => log.EventId));

    /// <summary>The page with the name and the level that the code gives each event.</summary>
    public static string Update(string page) => Row().Replace(Mention().Replace(page, Mentioned), Rowed);

    /// <summary>The numbers of all events.</summary>
    public static IEnumerable<int> Ids => Found.Value.Keys;

    private static string Mentioned(Match mention) => $"{mention.Groups["before"].Value}{mention.Groups["id"].Value}{mention.Groups["between"].Value}`{Of(mention).EventName}`";

    private static string Rowed(Match row) => $"| {row.Groups["id"].Value} | `{Of(row).EventName}` | {Of(row).Level} |";

    private static LoggerMessageAttribute Of(Match match) =>
        Found.Value.TryGetValue(int.Parse(match.Groups["id"].Value, CultureInfo.InvariantCulture), out var log) ? log : throw new InvalidOperationException($"There is no log event {match.Groups["id"].Value}: {match.Value}");

    [GeneratedRegex(@"^\| (?<id>[0-9]{1,3}) \| `\w+` \| (Trace|Debug|Information|Warning|Error|Critical) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"(?<before>(?<=\b)[Ee]vent )(?<id>[0-9]{1,3})(?<between>,? )`\w+`")]
    private static partial Regex Mention();
}

using System.Globalization;

namespace Idempotency.AspNetCore;

/// <summary>Formats text for documents.</summary>
internal static class Text
{
    /// <summary>Appends a paragraph to existing text.</summary>
    public static string Join(string? before, string paragraph) => string.IsNullOrWhiteSpace(before) ? paragraph : $"{before}\n\n{paragraph}";

    /// <summary>Code in Markdown: enclosed in more backticks than it contains in a row, so that those of a JMESPath literal do not end it (CommonMark section 6.1).</summary>
    public static string Code(string code)
    {
        var fence = "`";
        while (code.Contains(fence, StringComparison.Ordinal))
        {
            fence += "`";
        }

        return code.StartsWith('`') || code.EndsWith('`') ? $"{fence} {code} {fence}" : fence + code + fence;
    }

    /// <summary>A duration in words: 7 days, 24 hours, 90 minutes, 1.5 seconds.</summary>
    public static string Of(TimeSpan duration)
    {
        var (count, unit) = duration.Ticks switch
        {
            > TimeSpan.TicksPerDay and var ticks when ticks % TimeSpan.TicksPerDay == 0 => (duration.TotalDays, "day"),
            >= TimeSpan.TicksPerHour and var ticks when ticks % TimeSpan.TicksPerHour == 0 => (duration.TotalHours, "hour"),
            >= TimeSpan.TicksPerMinute and var ticks when ticks % TimeSpan.TicksPerMinute == 0 => (duration.TotalMinutes, "minute"),
            _ => (duration.TotalSeconds, "second"),
        };
        return string.Create(CultureInfo.InvariantCulture, $"{count:0.###} {unit}{(count == 1 ? "" : "s")}");
    }
}

using System.Globalization;

namespace Idempotency.AspNetCore;

/// <summary>Words for readers of a document.</summary>
internal static class Text
{
    /// <summary>A paragraph after what is there already.</summary>
    public static string Join(string? before, string paragraph) => string.IsNullOrWhiteSpace(before) ? paragraph : $"{before}\n\n{paragraph}";

    /// <summary>Code in Markdown: between more backticks than it has in a row, or those of a JMESPath literal would end it (CommonMark section 6.1).</summary>
    public static string Code(string code)
    {
        var fence = "`";
        while (code.Contains(fence, StringComparison.Ordinal))
        {
            fence += "`";
        }

        return code.StartsWith('`') || code.EndsWith('`') ? $"{fence} {code} {fence}" : fence + code + fence;
    }

    /// <summary>A duration as people say it: 7 days, 24 hours, 90 minutes, 1.5 seconds.</summary>
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

using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>The numbers of one moment, written once for all viewers.</summary>
internal sealed class NumbersSnapshot
{
    private readonly byte[] _event;

    public NumbersSnapshot(NumbersDocument document) => _event = [.. "data: "u8, .. JsonSerializer.SerializeToUtf8Bytes(document, DashboardJson.Default.NumbersDocument), .. "\n\n"u8];

    /// <summary>As a server-sent event. JSON has no line breaks, so it is one line of data.</summary>
    public ReadOnlyMemory<byte> Event => _event;

    public ReadOnlyMemory<byte> Json => _event.AsMemory("data: ".Length..^2);
}

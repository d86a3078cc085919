namespace Idempotency.AspNetCore.Simulation;

/// <summary>What became of a request for its client.</summary>
internal sealed record Answer
{
    public required AnswerKind Kind { get; init; }

    public int Status { get; init; }

    public string Body { get; init; } = "";

    public bool IsReplay { get; init; }

    /// <summary>Whether it says that it is not recorded.</summary>
    public bool IsMarkedUnstored { get; init; }

    /// <summary>The code of a problem; null when it is none.</summary>
    public string? Code => Text("code");

    /// <summary>The run of a handler that it names; null when it names none.</summary>
    public int? Run => Number("run");

    public int? User => Number("user");

    public override string ToString() => Kind != AnswerKind.Response ? Kind.ToString() : $"{Status} {Code ?? (Run is { } run ? $"of run {run}" : "")}{(IsReplay ? ", replayed" : "")}{(IsMarkedUnstored ? ", not stored" : "")}";

    private string? Text(string name)
    {
        var at = Body.IndexOf($"\"{name}\":\"", StringComparison.Ordinal);
        if (at < 0)
        {
            return null;
        }

        var start = at + name.Length + 4;
        return Body[start..Body.IndexOf('"', start)];
    }

    private int? Number(string name)
    {
        var at = Body.IndexOf($"\"{name}\":", StringComparison.Ordinal);
        if (at < 0)
        {
            return null;
        }

        var number = 0;
        for (var i = at + name.Length + 3; i < Body.Length && char.IsAsciiDigit(Body[i]); i++)
        {
            number = (number * 10) + (Body[i] - '0');
        }

        return number;
    }
}

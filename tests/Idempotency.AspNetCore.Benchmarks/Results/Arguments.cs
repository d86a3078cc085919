using System.Globalization;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>What was asked for on the command line.</summary>
internal sealed class Arguments(string command, string[] arguments)
{
    /// <summary>Writes the figures into the README. Not with <see cref="Only"/>: half a table would replace a whole one.</summary>
    public bool IsWritten => arguments.Contains("--write") && (Only is null
        ? true
        : throw new InvalidOperationException("--write takes the whole table: leave --only out."));

    /// <summary>A part of the names of what is to run, or null for all.</summary>
    public string? Only => Array.IndexOf(arguments, "--only") is >= 0 and var at ? arguments[at + 1] : null;

    /// <summary>What stands before all options, or null.</summary>
    public string? Operand => arguments is [var first, ..] && !first.StartsWith('-') ? first : null;

    /// <summary>The command, for whoever reads the figures.</summary>
    public string CommandLine =>
        string.Join(' ', ["dotnet run -c Release --project tests/Idempotency.AspNetCore.Benchmarks --", command, .. arguments.Where(argument => argument != "--write")]);

    public double Number(string name, double otherwise) =>
        Array.IndexOf(arguments, name) is >= 0 and var at ? double.Parse(arguments[at + 1], CultureInfo.InvariantCulture) : otherwise;

    public bool Wants(string name) => Only is null || name.Contains(Only, StringComparison.OrdinalIgnoreCase);
}

namespace Idempotency.AspNetCore;

/// <summary>How much an expression may do with one document. Whoever writes the document must not decide what reading it costs.</summary>
public sealed class JmesPathOptions
{
    /// <summary>
    /// The most that one call of <c>powertools_base64</c> or <c>powertools_base64_gzip</c> may decode to, in bytes; more is an <c>invalid-value</c>, and is not inflated.
    /// Default: 1 MiB (1 048 576). More than zero.
    /// </summary>
    public int MaxDecodedSize { get; set; } = 1024 * 1024;

    /// <summary>
    /// The most that one evaluation may do, in steps: a step is an operator applied once, an element produced, or a few characters read or written. More is an
    /// <c>invalid-value</c>. Default: 1 000 000, which takes a few tenths of a second at worst. More than zero.
    /// </summary>
    public int MaxWork { get; set; } = 1_000_000;

    internal const string MaxDecodedSizeMessage = "JmesPathOptions.MaxDecodedSize must be greater than zero. Set it to the maximum number of bytes that powertools_base64 and powertools_base64_gzip can decode to, for example 1048576.";
    internal const string MaxWorkMessage = "JmesPathOptions.MaxWork must be greater than zero. Set it to the maximum number of steps of one evaluation, for example 1000000.";
}

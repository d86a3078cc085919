namespace Idempotency.AspNetCore;

/// <summary>The limits of an evaluation, so that the author of a document does not determine the cost of reading it.</summary>
public sealed class JmesPathOptions
{
    /// <summary>
    /// The maximum size that one call of <c>powertools_base64</c> or <c>powertools_base64_gzip</c> can decode to, in bytes. A larger result is an <c>invalid-value</c> error, and is not decompressed.
    /// Default: 1 MiB (1 048 576). Must be greater than zero.
    /// </summary>
    public int MaxDecodedSize { get; set; } = 1024 * 1024;

    /// <summary>
    /// The maximum number of steps of one evaluation. A step is one application of an operator, one element of a result, or a few characters read or written. More is an
    /// <c>invalid-value</c> error. Default: 1 000 000, which takes a few tenths of a second in the worst case. Must be greater than zero.
    /// </summary>
    public int MaxWork { get; set; } = 1_000_000;

    internal const string MaxDecodedSizeMessage = "JmesPathOptions.MaxDecodedSize must be greater than zero. Set it to the maximum number of bytes that powertools_base64 and powertools_base64_gzip can decode to, for example 1048576.";
    internal const string MaxWorkMessage = "JmesPathOptions.MaxWork must be greater than zero. Set it to the maximum number of steps of one evaluation, for example 1000000.";
}

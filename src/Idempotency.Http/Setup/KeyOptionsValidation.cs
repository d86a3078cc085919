using Microsoft.Extensions.Options;

namespace Idempotency.Http;

/// <summary>The bounds of every setting: for a client of the factory at start-up or when it is first created, and for a handler that is created directly.</summary>
internal sealed class KeyOptionsValidation : IValidateOptions<IdempotencyKeyOptions>
{
    public ValidateOptionsResult Validate(string? name, IdempotencyKeyOptions options)
    {
        var client = string.IsNullOrEmpty(name) ? "" : $"The HTTP client '{name}': ";
        var errors = Errors(options).Select(error => client + error).ToList();
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    /// <summary>The errors of the options, each with its fix; empty if they are valid.</summary>
    public static IEnumerable<string> Errors(IdempotencyKeyOptions options)
    {
        const string Keys = nameof(IdempotencyKeyOptions);
        if (!IsHeaderName(options.HeaderName))
        {
            yield return $"{Keys}.{nameof(options.HeaderName)} '{options.HeaderName}' is not a valid request header name (RFC 9110 section 5.1). The default is '{IdempotencyHeaderNames.Key}'.";
        }

        if (!Enum.IsDefined(options.Format))
        {
            yield return $"{Keys}.{nameof(options.Format)} is {(int)options.Format}. Set it to {nameof(IdempotencyKeyFormat.Bare)} or {nameof(IdempotencyKeyFormat.Quoted)}.";
        }

        foreach (var method in options.Methods.Where(method => method is null || KeyHeader.IsSafe(method)))
        {
            yield return $"{Keys}.{nameof(options.Methods)} has {method?.Method ?? "null"}. Remove it: safe methods do not need a key.";
        }

        if (options.GenerateKey is null)
        {
            yield return $"{Keys}.{nameof(options.GenerateKey)} is null. Set it to a function that creates a new key, or keep the default, which creates UUIDs.";
        }

        if (options.MaxBufferedBodySize < 0 || options.MaxBufferedBodySize > Array.MaxLength)
        {
            yield return $"{Keys}.{nameof(options.MaxBufferedBodySize)} is {options.MaxBufferedBodySize}. Set it between 0 and {Array.MaxLength} bytes; the body is buffered in memory.";
        }

        if (options.MaxBufferedResponseSize < 0 || options.MaxBufferedResponseSize > Array.MaxLength)
        {
            yield return $"{Keys}.{nameof(options.MaxBufferedResponseSize)} is {options.MaxBufferedResponseSize}. Set it between 0 (responses are not buffered) and {Array.MaxLength} bytes; responses are buffered in memory.";
        }
    }

    /// <summary>Tries to add the header to the collection of request headers, which rejects invalid names and content headers.</summary>
    private static bool IsHeaderName(string? name)
    {
        using var request = new HttpRequestMessage();
        return !string.IsNullOrEmpty(name) && request.Headers.TryAddWithoutValidation(name, "key");
    }
}

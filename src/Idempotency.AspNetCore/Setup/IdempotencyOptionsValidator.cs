using Microsoft.Extensions.Options;

namespace Idempotency.AspNetCore;

/// <summary>The bounds of every setting; used for options at start-up and for policies that are passed to an endpoint directly.</summary>
internal sealed class IdempotencyOptionsValidator(IEnumerable<IIdempotencySelectorLanguage> languages) : IValidateOptions<IdempotencyOptions>
{
    private static readonly TimeSpan LongestRetention = TimeSpan.FromDays(3653);
    private static readonly TimeSpan ShortestLease = TimeSpan.FromMilliseconds(30);
    private static readonly TimeSpan OneDay = TimeSpan.FromDays(1);

    public ValidateOptionsResult Validate(string? name, IdempotencyOptions options)
    {
        var errors = new List<string>();
        if (options.LocalCacheMaxEntries < 0)
        {
            errors.Add($"{nameof(IdempotencyOptions)}.{nameof(options.LocalCacheMaxEntries)} is {options.LocalCacheMaxEntries}. Set it to zero (no local cache) or a positive number.");
        }

        if (options.LocalCacheMaxBytes < 0)
        {
            errors.Add($"{nameof(IdempotencyOptions)}.{nameof(options.LocalCacheMaxBytes)} is {options.LocalCacheMaxBytes}. Set it to zero (no local cache) or a positive number.");
        }

        var language = languages.LastOrDefault();
        errors.AddRange(Errors(options.DefaultPolicy, "The default policy", language));
        foreach (var (policyName, policy) in options.Policies)
        {
            errors.AddRange(Errors(policy, $"The policy '{policyName}'", language));
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    /// <summary>The errors of a policy, each with its fix; empty if it is valid.</summary>
    public static IEnumerable<string> Errors(IdempotencyPolicy? policy, string who, IIdempotencySelectorLanguage? language)
    {
        if (policy is null)
        {
            yield return $"{who} is null. Set it to a new {nameof(IdempotencyPolicy)}.";
            yield break;
        }

        if (policy.Retention <= TimeSpan.Zero || policy.Retention > LongestRetention)
        {
            yield return $"{who} sets {nameof(policy.Retention)} to {policy.Retention}. Set it to more than zero and at most 10 years; the default is 24 hours.";
        }

        if (policy.ClaimDuration < ShortestLease || policy.ClaimDuration > OneDay)
        {
            yield return $"{who} sets {nameof(policy.ClaimDuration)} to {policy.ClaimDuration}. Set it between 30 milliseconds and one day; the default is 60 seconds.";
        }

        if (policy.WaitTimeout < TimeSpan.Zero || policy.WaitTimeout > OneDay)
        {
            yield return $"{who} sets {nameof(policy.WaitTimeout)} to {policy.WaitTimeout}. Set it between zero and one day; the default is 30 seconds.";
        }

        if (policy.MaxRequestBodySize is < 0 or > int.MaxValue / 4)
        {
            yield return $"{who} sets {nameof(policy.MaxRequestBodySize)} to {policy.MaxRequestBodySize}. Set it between 0 and {int.MaxValue / 4} bytes; the body is buffered in memory.";
        }

        if (policy.MaxResponseBodySize is < 0 or > int.MaxValue / 4)
        {
            yield return $"{who} sets {nameof(policy.MaxResponseBodySize)} to {policy.MaxResponseBodySize}. Set it between 0 and {int.MaxValue / 4} bytes; larger responses are streamed.";
        }

        if (!HttpToken.IsValid(policy.HeaderName))
        {
            yield return $"{who} sets {nameof(policy.HeaderName)} to '{policy.HeaderName}', which is not a valid header name (RFC 9110 section 5.1). The default is 'Idempotency-Key'.";
        }

        if (policy.ReplayFlagName is { Length: 0 })
        {
            yield return $"{who} sets {nameof(policy.ReplayFlagName)} to an empty string. Set it to a member name, or to null to turn the flag off.";
        }

        if (policy.ExcludedHeaders is null || policy.ExcludedHeaders.Any(header => !HttpToken.IsValid(header)))
        {
            yield return $"{who} has an entry in {nameof(policy.ExcludedHeaders)} that is not a valid header name (RFC 9110 section 5.1). List one name per entry.";
        }

        if (policy.FingerprintHeaders is null || policy.FingerprintHeaders.Any(header => !HttpToken.IsValid(header)))
        {
            yield return $"{who} has an entry in {nameof(policy.FingerprintHeaders)} that is not a valid header name (RFC 9110 section 5.1). List one name per entry.";
        }

        if (policy.Methods is { Count: 0 } || policy.Methods?.Any(method => !HttpToken.IsValid(method)) == true)
        {
            yield return $"{who} has an empty list of {nameof(policy.Methods)}, or an entry that is not a valid HTTP method (RFC 9110 section 9.1). List one method per entry, such as POST, or set it to null for all methods except GET, HEAD, OPTIONS and TRACE.";
        }

        if (SelectorError(policy, language, who) is { } selectorError)
        {
            yield return selectorError;
        }

        if (policy.TransactionRetries is < 0 or > 10)
        {
            yield return $"{who} sets {nameof(policy.TransactionRetries)} to {policy.TransactionRetries}. Set it between 0 and 10; each retry runs the whole handler again.";
        }

        if (!Enum.IsDefined(policy.KeySource) || !Enum.IsDefined(policy.Fingerprint) || !Enum.IsDefined(policy.WhenInProgress)
            || !Enum.IsDefined(policy.WhenAbandoned) || !Enum.IsDefined(policy.WhenStoreUnavailable) || !Enum.IsDefined(policy.Transaction))
        {
            yield return $"{who} has an undefined enum value. Use the named values of {nameof(IdempotencyKeySource)}, {nameof(RequestFingerprintMode)}, {nameof(InProgressBehavior)}, {nameof(AbandonedBehavior)}, {nameof(StoreUnavailableBehavior)} and {nameof(IdempotencyTransaction)}.";
        }
    }

    private static string? SelectorError(IdempotencyPolicy policy, IIdempotencySelectorLanguage? language, string who)
    {
        try
        {
            PolicySelectors.Of(policy, language, who);
            return null;
        }
        catch (InvalidOperationException invalid)
        {
            return invalid.Message;
        }
    }
}

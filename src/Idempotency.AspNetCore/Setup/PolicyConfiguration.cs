using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace Idempotency.AspNetCore;

/// <summary>Reads options from configuration.</summary>
/// <remarks>
/// This does not use the configuration binder, for three reasons: it works with native AOT, a misspelled setting is an error
/// that lists the valid names, and a named policy is based on the default policy of the same section.
/// </remarks>
internal static class PolicyConfiguration
{
    public static void Apply(IConfiguration section, IdempotencyOptions options)
    {
        // Otherwise, a misspelled section name would silently use the defaults. An empty section ({}) exists.
        if (section is ConfigurationSection named && !named.Exists() && !named.TryGetValue(null, out _))
        {
            throw new InvalidOperationException($"The configuration section '{named.Path}' was not found. Correct the name passed to GetSection(...), add the section, or call AddIdempotency() without configuration to use the defaults.");
        }

        foreach (var setting in Members(section, "a section"))
        {
            switch (setting.Key.ToUpperInvariant())
            {
                case "ENABLED": options.Enabled = Boolean(setting); break;
                case "LOCALCACHEMAXENTRIES": options.LocalCacheMaxEntries = (int)Number(setting, int.MinValue, int.MaxValue); break;
                case "LOCALCACHEMAXBYTES": options.LocalCacheMaxBytes = Number(setting); break;
                case "DEFAULTPOLICY": options.DefaultPolicy = Read(setting, options.DefaultPolicy); break;
                case "POLICIES": break; // below, because they are based on the default policy, regardless of its position
                default:
                    throw Unknown(setting, "Enabled, LocalCacheMaxEntries, LocalCacheMaxBytes, DefaultPolicy, Policies");
            }
        }

        foreach (var entry in Members(section.GetSection("Policies"), "a section with a policy under each name"))
        {
            options.Policies[entry.Key] = Read(entry, options.Policies.TryGetValue(entry.Key, out var known) ? known : options.DefaultPolicy);
        }
    }

    private static IdempotencyPolicy Read(IConfigurationSection section, IdempotencyPolicy policy)
    {
        foreach (var setting in Members(section, "a section with the policy's settings"))
        {
            policy = setting.Key.ToUpperInvariant() switch
            {
                "KEYSOURCE" => policy with { KeySource = Named<IdempotencyKeySource>(setting) },
                "KEYREQUIRED" => policy with { KeyRequired = Boolean(setting) },
                "HEADERNAME" => policy with { HeaderName = setting.Value ?? "" },
                // JSON's null arrives as null or as an empty value, depending on the provider.
                "KEYSELECTOR" => policy with { KeySelector = NoneIfEmpty(setting) },
                "FINGERPRINTSELECTOR" => policy with { FingerprintSelector = NoneIfEmpty(setting) },
                "FINGERPRINTHEADERS" => policy with { FingerprintHeaders = Names(setting, "a list of header names") },
                "METHODS" => policy with { Methods = IsNull(setting) ? null : Names(setting, "a list of HTTP methods") },
                "FINGERPRINT" => policy with { Fingerprint = Named<RequestFingerprintMode>(setting) },
                "RETENTION" => policy with { Retention = Duration(setting) },
                "CLAIMDURATION" => policy with { ClaimDuration = Duration(setting) },
                "WHENINPROGRESS" => policy with { WhenInProgress = Named<InProgressBehavior>(setting) },
                "WAITTIMEOUT" => policy with { WaitTimeout = Duration(setting) },
                "WHENABANDONED" => policy with { WhenAbandoned = Named<AbandonedBehavior>(setting) },
                "WHENSTOREUNAVAILABLE" => policy with { WhenStoreUnavailable = Named<StoreUnavailableBehavior>(setting) },
                "TRANSACTION" => policy with { Transaction = Named<IdempotencyTransaction>(setting) },
                "TRANSACTIONRETRIES" => policy with { TransactionRetries = (int)Number(setting, int.MinValue, int.MaxValue) },
                "MAXREQUESTBODYSIZE" => policy with { MaxRequestBodySize = Number(setting) },
                "MAXRESPONSEBODYSIZE" => policy with { MaxResponseBodySize = Number(setting) },
                "COMPLETEAFTERDISCONNECT" => policy with { CompleteAfterDisconnect = Boolean(setting) },
                "HOLDUNBUFFEREDRESPONSES" => policy with { HoldUnbufferedResponses = Boolean(setting) },
                "REPLAYFLAGNAME" => policy with { ReplayFlagName = NoneIfEmpty(setting) },
                "EMITETAG" => policy with { EmitETag = Boolean(setting) },
                "ANSWERNOTMODIFIED" => policy with { AnswerNotModified = Boolean(setting) },
                "CLIENTCACHING" => policy with { ClientCaching = Boolean(setting) },
                "EXCLUDEDHEADERS" => policy with { ExcludedHeaders = Names(setting, "a list of header names") },
                _ => throw Unknown(setting, "KeySource, KeyRequired, HeaderName, KeySelector, FingerprintSelector, FingerprintHeaders, Methods, Fingerprint, Retention, ClaimDuration, WhenInProgress, WaitTimeout, WhenAbandoned, WhenStoreUnavailable, Transaction, TransactionRetries, MaxRequestBodySize, MaxResponseBodySize, HoldUnbufferedResponses, CompleteAfterDisconnect, ReplayFlagName, EmitETag, AnswerNotModified, ClientCaching, ExcludedHeaders (Partition, ShouldStore and AuthorizeReplay can only be set in code)"),
            };
        }

        return policy;
    }

    private static string[] Names(IConfigurationSection setting, string expected) => [.. Members(setting, expected).Select(name => name.Value ?? "")];

    // JSON's null and an empty list both appear as a setting without a value or members.
    private static bool IsNull(IConfigurationSection setting) => string.IsNullOrEmpty(setting.Value) && !setting.GetChildren().Any();

    private static string? NoneIfEmpty(IConfigurationSection setting) => string.IsNullOrEmpty(setting.Value) ? null : setting.Value;

    private static bool Boolean(IConfigurationSection setting) =>
        bool.TryParse(setting.Value, out var value) ? value : throw Invalid(setting, "true or false");

    /// <summary>The members of a section. A single value in its place is an error.</summary>
    private static IEnumerable<IConfigurationSection> Members(IConfiguration configuration, string expected) =>
        configuration is IConfigurationSection { Value: { Length: > 0 } } setting ? throw Invalid(setting, expected) : configuration.GetChildren();

    private static long Number(IConfigurationSection setting, long least = long.MinValue, long most = long.MaxValue) =>
        long.TryParse(setting.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most
            ? value
            : throw Invalid(setting, "a whole number");

    // TimeSpan would parse a bare number as days, although most people mean seconds, and 24:00:00 as 24 days, although it means 24 hours. Both are
    // rejected.
    private static TimeSpan Duration(IConfigurationSection setting) =>
        TimeSpan.TryParseExact(setting.Value, [@"hh\:mm\:ss", @"hh\:mm\:ss\.FFFFFFF", @"h\:mm\:ss", @"d\.hh\:mm\:ss", @"d\.hh\:mm\:ss\.FFFFFFF"], CultureInfo.InvariantCulture, out var value)
            ? value
            : throw Invalid(setting, "a time span such as 00:01:00 (one minute) or 1.00:00:00 (one day)");

    private static T Named<T>(IConfigurationSection setting)
        where T : struct, Enum =>
        Enum.TryParse<T>(setting.Value, ignoreCase: true, out var value) && Enum.IsDefined(value)
            ? value
            : throw Invalid(setting, "one of " + string.Join(", ", Enum.GetNames<T>()));

    private static InvalidOperationException Invalid(IConfigurationSection setting, string expected) =>
        new($"The setting '{setting.Path}' is '{setting.Value}'. Set it to {expected}.");

    private static InvalidOperationException Unknown(IConfigurationSection setting, string known) =>
        new($"The setting '{setting.Path}' does not exist. The available settings are: {known}.");
}

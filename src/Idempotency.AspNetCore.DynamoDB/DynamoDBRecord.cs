using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.InteropServices;
using Amazon.DynamoDBv2.Model;

namespace Idempotency.AspNetCore;

/// <summary>The format of a record in DynamoDB: one item, whose attributes have the names of the options.</summary>
/// <remarks>
/// <list type="table">
/// <item><term>key</term><description>the stored key, 64 hexadecimal digits; in the sort key, under a static partition key, where the table has one</description></item>
/// <item><term>status</term><description><c>INPROGRESS</c> or <c>COMPLETED</c></description></item>
/// <item><term>owner</term><description>32 hexadecimal digits</description></item>
/// <item><term>attempt</term><description>number</description></item>
/// <item><term>validation</term><description>the fingerprint, 32 bytes</description></item>
/// <item><term>in_progress_expiration</term><description>the end of the lease, in milliseconds since 1970; only while in progress</description></item>
/// <item><term>expiration_ms</term><description>the time when the record is gone, in milliseconds since 1970</description></item>
/// <item><term>expiration</term><description>the same time in seconds, rounded up: the table's time to live</description></item>
/// <item><term>effects_started</term><description><c>true</c>, once irreversible effects may have started; only while in progress</description></item>
/// <item><term>steps_version</term><description>the version of its steps; only while in progress, and with recorded steps</description></item>
/// <item><term>data</term><description>the payload; while in progress, its recorded steps</description></item>
/// </list>
/// </remarks>
internal sealed class DynamoDBRecord(DynamoDBIdempotencyStoreOptions options)
{
    // An item can have 400 KB including attribute names (Amazon DynamoDB Developer Guide, "Quotas"); everything but the data needs far less than 8 KB.
    public const int LargestData = (400 - 8) * 1024;

    private const string InProgressText = "INPROGRESS";
    private const string CompletedText = "COMPLETED";

    private readonly long _skew = (long)options.ClockSkewTolerance.TotalMilliseconds;

    // The client only reads its input, so constant values are created once.
    public static AttributeValue InProgress { get; } = new(InProgressText);

    public static AttributeValue Completed { get; } = new(CompletedText);

    public static AttributeValue True { get; } = new() { BOOL = true };

    /// <summary>The owner of a released claim.</summary>
    public static AttributeValue Nobody { get; } = Owner(Guid.Empty);

    /// <summary>The attribute with the stored key.</summary>
    public string StoreKeyAttribute => options.SortKeyAttribute ?? options.KeyAttribute;

    /// <summary>The end of the latest lease that counts as ended.</summary>
    public AttributeValue Lapsed(long now) => Number(now - _skew);

    /// <summary>An end of a lease that has passed for every server whose clock is within the tolerance.</summary>
    public AttributeValue Released(long now) => Number(now - (2 * _skew));

    /// <summary>The primary key of a record's item, with room for more attributes.</summary>
    public Dictionary<string, AttributeValue> Key(StoreKey key, int attributes = 2)
    {
        var item = new Dictionary<string, AttributeValue>(attributes);
        item[options.KeyAttribute] = new AttributeValue(options.SortKeyAttribute is null ? key.ToString() : options.StaticPartitionKey);
        if (options.SortKeyAttribute is { } sort)
        {
            item[sort] = new AttributeValue(key.ToString());
        }

        return item;
    }

    /// <summary>The item that a claim writes.</summary>
    public Dictionary<string, AttributeValue> Of(StoreKey key, in IdempotencyClaim claim, long now)
    {
        var lease = now + Milliseconds(claim.Lease);
        var gone = lease + Milliseconds(claim.Retention);
        var item = Key(key, attributes: 9);
        item[options.StatusAttribute] = InProgress;
        item[options.OwnerAttribute] = Owner(claim.Owner);
        item[options.AttemptAttribute] = Number(claim.Attempt);
        item[options.ValidationAttribute] = Fingerprint(claim.Fingerprint);
        item[options.InProgressExpiryAttribute] = Number(lease);
        item[options.ExactExpiryAttribute] = Number(gone);
        item[options.ExpiryAttribute] = Number(Seconds(gone));
        return item;
    }

    /// <summary>The attributes of an expression's placeholders. DynamoDB rejects names that an expression does not use.</summary>
    public Dictionary<string, string> Names(string expression) => new (string Placeholder, string Attribute)[]
    {
        ("#id", options.KeyAttribute),
        ("#status", options.StatusAttribute),
        ("#owner", options.OwnerAttribute),
        ("#expiry", options.ExpiryAttribute),
        ("#exact", options.ExactExpiryAttribute),
        ("#lease", options.InProgressExpiryAttribute),
        ("#data", options.DataAttribute),
        ("#validation", options.ValidationAttribute),
        ("#attempt", options.AttemptAttribute),
        ("#effects", options.EffectsStartedAttribute),
        ("#steps", options.StepsVersionAttribute),
    }.Where(name => expression.Contains(name.Placeholder, StringComparison.Ordinal)).ToDictionary(name => name.Placeholder, name => name.Attribute);

    /// <summary>Whether an item is an owner's claim in progress.</summary>
    public bool IsClaimOf([NotNullWhen(true)] Dictionary<string, AttributeValue>? item, Guid owner) =>
        item is not null
        && item.TryGetValue(options.OwnerAttribute, out var written) && written.S == Text(owner)
        && item.TryGetValue(options.StatusAttribute, out var status) && status.S == InProgressText;

    /// <summary>Whether an item is an owner's claim in progress that can be renewed.</summary>
    public bool IsRenewableBy(Guid owner, Dictionary<string, AttributeValue>? item, long now) =>
        IsClaimOf(item, owner) && TryNumber(item, options.ExactExpiryAttribute, out var gone) && gone > now;

    /// <summary>The payload or the steps of an item; empty if there are none.</summary>
    public ReadOnlyMemory<byte> DataOf(Dictionary<string, AttributeValue> item) => item.GetValueOrDefault(options.DataAttribute)?.B?.ToArray() ?? [];

    /// <summary>Whether an item is gone, although time to live has not removed it yet.</summary>
    public bool IsGone(Dictionary<string, AttributeValue> item, long now)
    {
        var isOver = TryNumber(item, options.ExactExpiryAttribute, out var exact) ? exact <= now
            : TryNumber(item, options.ExpiryAttribute, out var seconds) && seconds <= now / 1000;
        var isInProgress = item.TryGetValue(options.StatusAttribute, out var status) && status.S == InProgressText;
        return isOver && (!isInProgress || !TryNumber(item, options.InProgressExpiryAttribute, out var lease) || lease <= now - _skew);
    }

    /// <summary>Reads an item. Null if there is none, or it is gone.</summary>
    /// <exception cref="IdempotencyRecordUnreadableException">The item is not valid.</exception>
    public IdempotencyRecord? Parse(Dictionary<string, AttributeValue>? item, long now)
    {
        if (item is null || item.Count == 0 || IsGone(item, now))
        {
            return null;
        }

        var status = item.GetValueOrDefault(options.StatusAttribute)?.S;
        long lease = 0;
        if (status is InProgressText or CompletedText
            && Guid.TryParseExact(item.GetValueOrDefault(options.OwnerAttribute)?.S, "N", out var owner)
            && TryNumber(item, options.AttemptAttribute, out var attempt) && attempt is > 0 and <= int.MaxValue
            && item.GetValueOrDefault(options.ValidationAttribute)?.B is { Length: Sha256Hash.Length } fingerprint
            && TryNumber(item, options.ExactExpiryAttribute, out var gone)
            && (status == CompletedText || TryNumber(item, options.InProgressExpiryAttribute, out lease)))
        {
            return new IdempotencyRecord
            {
                Status = status == CompletedText ? IdempotencyRecordStatus.Completed : IdempotencyRecordStatus.InProgress,
                Owner = owner,
                Attempt = (int)attempt,
                Fingerprint = new Fingerprint(Sha256Hash.FromBytes(fingerprint.ToArray())),
                Payload = DataOf(item),
                EffectsStarted = status == InProgressText && item.ContainsKey(options.EffectsStartedAttribute),
                LeaseRemaining = status == CompletedText ? TimeSpan.Zero : TimeSpan.FromMilliseconds(lease + _skew - now),
                RetentionRemaining = TimeSpan.FromMilliseconds(gone - now),
            };
        }

        throw new IdempotencyRecordUnreadableException("The DynamoDB item has missing or malformed attributes: another library wrote it, or it is damaged.");
    }

    /// <summary>Reads the item of an abandoned claim. Null if it is not valid.</summary>
    public AbandonedClaim? ParseAbandoned(Dictionary<string, AttributeValue> item, long now) =>
        Sha256Hash.TryParse(item.GetValueOrDefault(StoreKeyAttribute)?.S, out var key)
        && TryNumber(item, options.AttemptAttribute, out var attempt)
        && TryNumber(item, options.InProgressExpiryAttribute, out var lease)
            ? new AbandonedClaim(new StoreKey(key), (int)attempt, TimeSpan.FromMilliseconds(now - lease))
            : null;

    public static AttributeValue Fingerprint(in Fingerprint fingerprint)
    {
        var bytes = new byte[Sha256Hash.Length];
        fingerprint.Hash.CopyTo(bytes);
        return Binary(bytes);
    }

    public static AttributeValue Owner(Guid owner) => new(Text(owner));

    public static AttributeValue Number(long value) => new() { N = value.ToString(CultureInfo.InvariantCulture) };

    // A payload never changes, so a whole array is sent without copying. The buffer is exposed so that the client does not copy it either.
    public static AttributeValue Binary(ReadOnlyMemory<byte> bytes)
    {
        var array = MemoryMarshal.TryGetArray(bytes, out var segment) && segment.Array is { } whole && whole.Length == bytes.Length ? whole : bytes.ToArray();
        return new AttributeValue { B = new MemoryStream(array, 0, array.Length, writable: false, publiclyVisible: true) };
    }

    public static long Milliseconds(TimeSpan time) => (long)Math.Ceiling(time.TotalMilliseconds);

    // Rounded up, so that time to live does not remove a record too early.
    public static long Seconds(long milliseconds) => (milliseconds + 999) / 1000;

    private static string Text(Guid owner) => owner.ToString("N");

    private static bool TryNumber(Dictionary<string, AttributeValue> item, string attribute, out long number)
    {
        number = 0;
        return item.TryGetValue(attribute, out var value) && long.TryParse(value.N, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);
    }
}

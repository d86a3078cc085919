using Amazon.DynamoDBv2;

namespace Idempotency.AspNetCore;

/// <summary>Where and how the DynamoDB store keeps records. Attribute names default to those of AWS Lambda Powertools.</summary>
public sealed class DynamoDBIdempotencyStoreOptions
{
    /// <summary>The table. Required; it exists already, unless <see cref="CreateTableIfMissing"/> is set.</summary>
    public string TableName { get; set; } = "";

    /// <summary>
    /// The endpoint, for DynamoDB Local, for example <c>http://localhost:8000</c>. Null (the default) means the
    /// <see cref="IAmazonDynamoDB"/> registered in dependency injection when there is one, else a client with the SDK's own region and credentials.
    /// </summary>
    public string? ServiceUrl { get; set; }

    /// <summary>
    /// Creates the table at the first request when it is not there, with on-demand capacity and time to live. For development: a server in
    /// production should not have the right to. Default: false.
    /// </summary>
    public bool CreateTableIfMissing { get; set; }

    /// <summary>The partition key attribute, a string. Default: <c>id</c>.</summary>
    public string KeyAttribute { get; set; } = "id";

    /// <summary>
    /// The sort key attribute, a string, of a table that has one. Then it holds the record's key, and <see cref="KeyAttribute"/> holds
    /// <see cref="StaticPartitionKey"/>. Null (the default) for a table without.
    /// </summary>
    public string? SortKeyAttribute { get; set; }

    /// <summary>The partition key of all records in a table with a sort key. Default: <c>idempotency</c>.</summary>
    public string StaticPartitionKey { get; set; } = "idempotency";

    /// <summary>Whether the record is in progress or completed. Default: <c>status</c>.</summary>
    public string StatusAttribute { get; set; } = "status";

    /// <summary>When the record is gone, in seconds since 1970: the table's time-to-live attribute. Default: <c>expiration</c>.</summary>
    public string ExpiryAttribute { get; set; } = "expiration";

    /// <summary>The same in milliseconds, by which the store itself goes. Default: <c>expiration_ms</c>.</summary>
    public string ExactExpiryAttribute { get; set; } = "expiration_ms";

    /// <summary>When the lease is over, in milliseconds since 1970. Default: <c>in_progress_expiration</c>.</summary>
    public string InProgressExpiryAttribute { get; set; } = "in_progress_expiration";

    /// <summary>The recorded response; while in progress the recorded steps, if there are any. Binary. Default: <c>data</c>.</summary>
    public string DataAttribute { get; set; } = "data";

    /// <summary>The fingerprint of the request, binary. Default: <c>validation</c>.</summary>
    public string ValidationAttribute { get; set; } = "validation";

    /// <summary>Who claimed it. Default: <c>owner</c>.</summary>
    public string OwnerAttribute { get; set; } = "owner";

    /// <summary>Which attempt claimed it. Default: <c>attempt</c>.</summary>
    public string AttemptAttribute { get; set; } = "attempt";

    /// <summary>Whether the effects of a claim may have begun; there only when they may. Default: <c>effects_started</c>.</summary>
    public string EffectsStartedAttribute { get; set; } = "effects_started";

    /// <summary>The version of the steps in <see cref="DataAttribute"/>, a number; present only while in progress and with recorded steps. Default: <c>steps_version</c>.</summary>
    public string StepsVersionAttribute { get; set; } = "steps_version";

    /// <summary>
    /// How far the clocks of two servers may differ: DynamoDB has no clock of its own to ask, so a lease is taken as over only this long after
    /// its end. Default: 2 seconds.
    /// </summary>
    public TimeSpan ClockSkewTolerance { get; set; } = TimeSpan.FromSeconds(2);
}

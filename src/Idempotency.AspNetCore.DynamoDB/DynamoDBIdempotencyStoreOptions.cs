using Amazon.DynamoDBv2;

namespace Idempotency.AspNetCore;

/// <summary>Options of the DynamoDB store. Attribute names default to those of AWS Lambda Powertools.</summary>
public sealed class DynamoDBIdempotencyStoreOptions
{
    /// <summary>The name or ARN of the table. Required. The table must exist, unless <see cref="CreateTableIfMissing"/> is set.</summary>
    public string TableName { get; set; } = "";

    /// <summary>
    /// The endpoint of DynamoDB Local, for example <c>http://localhost:8000</c>. Null (the default): the
    /// <see cref="IAmazonDynamoDB"/> from dependency injection if there is one, otherwise a client with the region and credentials of the SDK.
    /// </summary>
    public string? ServiceUrl { get; set; }

    /// <summary>
    /// Creates the table at the first request if it does not exist, with on-demand capacity and time to live. For development: a server in
    /// production should not have the permission. Default: false.
    /// </summary>
    public bool CreateTableIfMissing { get; set; }

    /// <summary>The partition key attribute, a string. Default: <c>id</c>.</summary>
    public string KeyAttribute { get; set; } = "id";

    /// <summary>
    /// The sort key attribute, a string, of a table with a sort key. It contains the key of the record, and <see cref="KeyAttribute"/> contains
    /// <see cref="StaticPartitionKey"/>. Null (the default) for a table without a sort key.
    /// </summary>
    public string? SortKeyAttribute { get; set; }

    /// <summary>The partition key of all records in a table with a sort key. Default: <c>idempotency</c>.</summary>
    public string StaticPartitionKey { get; set; } = "idempotency";

    /// <summary>Whether the record is in progress or completed. Default: <c>status</c>.</summary>
    public string StatusAttribute { get; set; } = "status";

    /// <summary>The time when the record is gone, in seconds since 1970: the table's time-to-live attribute (Amazon DynamoDB Developer Guide, "Using time to live"). Default: <c>expiration</c>.</summary>
    public string ExpiryAttribute { get; set; } = "expiration";

    /// <summary>The time when the record is gone, in milliseconds since 1970, which the store itself uses. Default: <c>expiration_ms</c>.</summary>
    public string ExactExpiryAttribute { get; set; } = "expiration_ms";

    /// <summary>The time when the lease ends, in milliseconds since 1970. Default: <c>in_progress_expiration</c>.</summary>
    public string InProgressExpiryAttribute { get; set; } = "in_progress_expiration";

    /// <summary>The recorded response, or the recorded steps of a record in progress, if there are any. Binary. Default: <c>data</c>.</summary>
    public string DataAttribute { get; set; } = "data";

    /// <summary>The fingerprint of the request, binary. Default: <c>validation</c>.</summary>
    public string ValidationAttribute { get; set; } = "validation";

    /// <summary>The owner of the claim. Default: <c>owner</c>.</summary>
    public string OwnerAttribute { get; set; } = "owner";

    /// <summary>The number of the attempt. Default: <c>attempt</c>.</summary>
    public string AttemptAttribute { get; set; } = "attempt";

    /// <summary>Whether effects of a claim may have started; only present if they may. Default: <c>effects_started</c>.</summary>
    public string EffectsStartedAttribute { get; set; } = "effects_started";

    /// <summary>The version of the steps in <see cref="DataAttribute"/>, a number; only present while in progress and with recorded steps. Default: <c>steps_version</c>.</summary>
    public string StepsVersionAttribute { get; set; } = "steps_version";

    /// <summary>
    /// The maximum difference between the clocks of two servers. DynamoDB does not provide a clock, so a lease counts as ended only this long after
    /// its end. Zero to 10 minutes. Default: 2 seconds.
    /// </summary>
    public TimeSpan ClockSkewTolerance { get; set; } = TimeSpan.FromSeconds(2);
}

using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;

namespace Idempotency.AspNetCore;

/// <summary>Creates the table, for development.</summary>
internal sealed class DynamoDBTable(IAmazonDynamoDB client, DynamoDBIdempotencyStoreOptions options)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private readonly Lock _lock = new();
    private Task? _made;

    /// <summary>Completes when the table exists, or immediately if the store does not create it.</summary>
    public ValueTask EnsureAsync(CancellationToken cancellationToken)
    {
        if (!options.CreateTableIfMissing)
        {
            return ValueTask.CompletedTask;
        }

        Task made;
        lock (_lock)
        {
            if (_made is null || _made.IsFaulted || _made.IsCanceled)
            {
                _made = MakeAsync();
            }

            made = _made;
        }

        return made.IsCompletedSuccessfully ? ValueTask.CompletedTask : new ValueTask(made.WaitAsync(cancellationToken));
    }

    private async Task MakeAsync()
    {
        try
        {
            await client.CreateTableAsync(new CreateTableRequest
            {
                TableName = options.TableName,
                BillingMode = BillingMode.PAY_PER_REQUEST,
                KeySchema = options.SortKeyAttribute is { } sort
                    ? [new KeySchemaElement(options.KeyAttribute, KeyType.HASH), new KeySchemaElement(sort, KeyType.RANGE)]
                    : [new KeySchemaElement(options.KeyAttribute, KeyType.HASH)],
                AttributeDefinitions = options.SortKeyAttribute is { } sorted
                    ? [new AttributeDefinition(options.KeyAttribute, ScalarAttributeType.S), new AttributeDefinition(sorted, ScalarAttributeType.S)]
                    : [new AttributeDefinition(options.KeyAttribute, ScalarAttributeType.S)],
            });
        }
        catch (ResourceInUseException)
        {
            // It exists, or another server is creating it.
        }

        while ((await client.DescribeTableAsync(options.TableName)).Table.TableStatus != TableStatus.ACTIVE)
        {
            await Task.Delay(Pause);
        }

        var timeToLive = await client.DescribeTimeToLiveAsync(new DescribeTimeToLiveRequest { TableName = options.TableName });
        if (timeToLive.TimeToLiveDescription.TimeToLiveStatus == TimeToLiveStatus.DISABLED)
        {
            try
            {
                await client.UpdateTimeToLiveAsync(new UpdateTimeToLiveRequest
                {
                    TableName = options.TableName,
                    TimeToLiveSpecification = new TimeToLiveSpecification { AttributeName = options.ExpiryAttribute, Enabled = true },
                });
            }
            catch (AmazonDynamoDBException raced) when (raced.ErrorCode == "ValidationException")
            {
                // Another server was faster.
            }
        }
    }
}

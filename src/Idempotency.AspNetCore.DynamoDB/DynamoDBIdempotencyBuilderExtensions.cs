using System.Text.RegularExpressions;
using Idempotency.AspNetCore;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the DynamoDB store.</summary>
public static partial class DynamoDBIdempotencyBuilderExtensions
{
    /// <summary>Stores records in an Amazon DynamoDB table, with the application's <c>IAmazonDynamoDB</c> if it has registered one.</summary>
    /// <param name="builder">The idempotency builder.</param>
    /// <param name="configure">Configures the options; <see cref="DynamoDBIdempotencyStoreOptions.TableName"/> is required. Invalid options fail at start-up.</param>
    public static IIdempotencyBuilder AddDynamoDBStore(this IIdempotencyBuilder builder, Action<DynamoDBIdempotencyStoreOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        builder.Services.AddOptions<DynamoDBIdempotencyStoreOptions>().Configure(configure).ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<DynamoDBIdempotencyStoreOptions>, Validation>();
        return builder.AddStore<DynamoDBIdempotencyStore>();
    }

    private sealed partial class Validation : IValidateOptions<DynamoDBIdempotencyStoreOptions>
    {
        public ValidateOptionsResult Validate(string? name, DynamoDBIdempotencyStoreOptions options)
        {
            const string Type = nameof(DynamoDBIdempotencyStoreOptions);
            var errors = new List<string>();
            if (!TableName().IsMatch(options.TableName ?? ""))
            {
                errors.Add($"{Type}.TableName is '{options.TableName}'. Set it to the name (3 to 255 letters, digits, '_', '-' or '.') or the ARN of the table.");
            }

            if (options.ServiceUrl is not null && !Uri.TryCreate(options.ServiceUrl, UriKind.Absolute, out _))
            {
                errors.Add($"{Type}.ServiceUrl is '{options.ServiceUrl}'. Set it to an absolute URL such as http://localhost:8000, or leave it unset.");
            }

            if (options.ClockSkewTolerance < TimeSpan.Zero || options.ClockSkewTolerance > TimeSpan.FromMinutes(10))
            {
                errors.Add($"{Type}.ClockSkewTolerance is {options.ClockSkewTolerance}. Set it between zero and 10 minutes; the default is 2 seconds.");
            }

            string?[] attributes =
            [
                options.KeyAttribute, options.StatusAttribute, options.ExpiryAttribute, options.ExactExpiryAttribute, options.InProgressExpiryAttribute,
                options.DataAttribute, options.ValidationAttribute, options.OwnerAttribute, options.AttemptAttribute, options.EffectsStartedAttribute, options.StepsVersionAttribute, options.SortKeyAttribute ?? "(none)",
            ];
            if (attributes.Any(string.IsNullOrEmpty) || attributes.Distinct(StringComparer.Ordinal).Count() < attributes.Length)
            {
                errors.Add($"{Type} has empty or duplicate attribute names: {string.Join(", ", attributes)}. Give each attribute a unique name.");
            }

            if (options.SortKeyAttribute is not null && string.IsNullOrEmpty(options.StaticPartitionKey))
            {
                errors.Add($"{Type}.StaticPartitionKey is empty. When SortKeyAttribute is set, it is the partition key of all records.");
            }

            return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
        }

        [GeneratedRegex(@"\A(?:[A-Za-z0-9_.\-]{3,255}|arn:[^\s]{10,1000})\z")]
        private static partial Regex TableName();
    }
}

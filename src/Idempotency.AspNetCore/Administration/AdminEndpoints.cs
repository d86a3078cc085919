using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>What <c>MapIdempotencyAdmin()</c> maps.</summary>
internal sealed class AdminEndpoints(IIdempotencyRecords records)
{
    private const int DefaultLimit = 100;
    private const int HighestLimit = 10_000;

    public async Task FindAsync(HttpContext context)
    {
        if (await StoreKeyOfRouteAsync(context) is { } storeKey)
        {
            await AnswerAsync(context, storeKey);
        }
    }

    public async Task FindByNameAsync(HttpContext context)
    {
        StoreKey storeKey;
        try
        {
            using var body = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
            string? Value(string name) => body.RootElement.TryGetProperty(name, out var value) ? value.GetString() : null;
            storeKey = records.StoreKeyOf(new IdempotencyRecordQuery
            {
                Method = Value("method") ?? "POST",
                Path = Value("path") ?? throw new ArgumentException("Say which path: { \"path\": \"/payments\", \"key\": \"…\" }"),
                Key = Value("key") ?? throw new ArgumentException("Say which key: { \"path\": \"/payments\", \"key\": \"…\" }"),
                Partition = Value("partition"),
                Issuer = Value("issuer"),
                Subject = Value("subject"),
                ClientId = Value("clientId"),
            });
        }
        catch (Exception error) when (error is ArgumentException or JsonException or InvalidOperationException)
        {
            await ProblemAsync(context, StatusCodes.Status400BadRequest, error is ArgumentException ? error.Message : "The body must be a JSON object of strings: { \"method\", \"path\", \"key\", \"partition\", \"issuer\", \"subject\" }.");
            return;
        }

        await AnswerAsync(context, storeKey);
    }

    public async Task ForgetAsync(HttpContext context)
    {
        if (await StoreKeyOfRouteAsync(context) is not { } storeKey)
        {
            return;
        }

        if (await records.ForgetAsync(storeKey, context.RequestAborted))
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
        }
        else
        {
            await ProblemAsync(context, StatusCodes.Status404NotFound, "There is no such record. It may have expired.");
        }
    }

    public async Task ListAbandonedAsync(HttpContext context)
    {
        if (!records.CanListAbandoned)
        {
            await ProblemAsync(context, StatusCodes.Status501NotImplemented, "This store cannot list abandoned claims.");
            return;
        }

        var limit = DefaultLimit;
        if (context.Request.Query["limit"] is { Count: > 0 } asked
            && (!int.TryParse(asked[0], NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit is < 1 or > HighestLimit))
        {
            await ProblemAsync(context, StatusCodes.Status400BadRequest, $"The limit must be a number from 1 to {HighestLimit}.");
            return;
        }

        var claims = new List<AbandonedClaim>();
        await foreach (var claim in records.ListAbandonedAsync(context.RequestAborted))
        {
            claims.Add(claim);
            if (claims.Count > limit)
            {
                break;
            }
        }

        await JsonAsync(context, StatusCodes.Status200OK, "application/json", json =>
        {
            json.WriteStartArray("abandoned");
            foreach (var claim in claims.Take(limit))
            {
                json.WriteStartObject();
                json.WriteString("storeKey", claim.StoreKey.ToString());
                json.WriteNumber("attempt", claim.Attempt);
                json.WriteNumber("secondsSinceLeaseEnd", Math.Round(claim.SinceLeaseEnd.TotalSeconds, 3));
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteBoolean("isComplete", claims.Count <= limit);
        });
    }

    private static async Task<StoreKey?> StoreKeyOfRouteAsync(HttpContext context)
    {
        if (Sha256Hash.TryParse(context.Request.RouteValues["storeKey"] as string, out var hash))
        {
            return new StoreKey(hash);
        }

        await ProblemAsync(context, StatusCodes.Status400BadRequest, "A stored key is 64 hexadecimal digits, as log events and spans have it.");
        return null;
    }

    private async Task AnswerAsync(HttpContext context, StoreKey storeKey)
    {
        IdempotencyRecordView? record;
        try
        {
            record = await records.FindAsync(storeKey, context.RequestAborted);
        }
        catch (IdempotencyRecordUnreadableException unreadable)
        {
            await ProblemAsync(context, StatusCodes.Status422UnprocessableEntity, $"There is a record, but it cannot be read ({unreadable.Message}). Its requests are answered 503 until it is forgotten or expires.");
            return;
        }

        if (record is null)
        {
            await ProblemAsync(context, StatusCodes.Status404NotFound, "There is no such record. It may have expired.");
            return;
        }

        await JsonAsync(context, StatusCodes.Status200OK, "application/json", json =>
        {
            json.WriteString("storeKey", record.StoreKey.ToString());
            json.WriteString("status", record.Status == IdempotencyRecordStatus.Completed ? "completed" : record.IsAbandoned ? "abandoned" : "in-progress");
            json.WriteNumber("attempt", record.Attempt);
            Seconds(json, "leaseSecondsLeft", record.LeaseRemaining);
            Seconds(json, "retentionSecondsLeft", record.RetentionRemaining);
            if (record.ResponseStatus is { } status)
            {
                json.WriteStartObject("response");
                json.WriteNumber("status", status);
                json.WriteStartArray("headers");
                foreach (var name in record.ResponseHeaders)
                {
                    json.WriteStringValue(name);
                }

                json.WriteEndArray();
                if (record.ResponseBodySize is { } size)
                {
                    json.WriteNumber("bodySize", size);
                }

                json.WriteEndObject();
            }
        });
    }

    private static void Seconds(Utf8JsonWriter json, string name, TimeSpan? time)
    {
        if (time is { } left)
        {
            json.WriteNumber(name, Math.Round(left.TotalSeconds, 3));
        }
    }

    private static Task ProblemAsync(HttpContext context, int status, string detail) => JsonAsync(context, status, "application/problem+json", json =>
    {
        json.WriteNumber("status", status);
        json.WriteString("detail", detail);
    });

    private static async Task JsonAsync(HttpContext context, int status, string contentType, Action<Utf8JsonWriter> write)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = contentType;
        context.Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        write(json);
        json.WriteEndObject();
    }
}

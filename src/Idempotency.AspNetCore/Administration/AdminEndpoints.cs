using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Idempotency.AspNetCore;

/// <summary>The endpoints that <c>MapIdempotencyAdmin()</c> maps.</summary>
internal sealed class AdminEndpoints(IIdempotencyRecords records)
{
    private const int DefaultLimit = 100;
    private const int HighestLimit = 10_000;

    public static RequestDelegate Handler(Func<HttpContext, Task<IResult>> endpoint) => async context =>
    {
        var result = await endpoint(context);
        context.Response.Headers.CacheControl = "no-store";
        await result.ExecuteAsync(context);
    };

    public async Task<IResult> FindAsync(HttpContext context) =>
        StoreKeyOfRoute(context) is { } storeKey ? await FindAsync(storeKey, context.RequestAborted) : NoStoreKey();

    public async Task<IResult> SearchAsync(HttpContext context)
    {
        try
        {
            var search = await JsonSerializer.DeserializeAsync(context.Request.Body, AdminJson.Default.Search, context.RequestAborted) ?? throw new JsonException();
            var storeKey = records.StoreKeyOf(new IdempotencyRecordQuery
            {
                Method = search.Method ?? "POST",
                Path = search.Path ?? throw new ArgumentException("The path is missing. Send { \"path\": \"/payments\", \"key\": \"…\" }."),
                Key = search.Key ?? throw new ArgumentException("The key is missing. Send { \"path\": \"/payments\", \"key\": \"…\" }."),
                Partition = search.Partition,
                Issuer = search.Issuer,
                Subject = search.Subject,
                ClientId = search.ClientId,
            });
            return await FindAsync(storeKey, context.RequestAborted);
        }
        catch (ArgumentException nothing)
        {
            return Problem(StatusCodes.Status400BadRequest, nothing.Message);
        }
        catch (JsonException)
        {
            return Problem(StatusCodes.Status400BadRequest, "The body must be a JSON object of strings: { \"method\", \"path\", \"key\", \"partition\", \"issuer\", \"subject\", \"clientId\" }.");
        }
    }

    public async Task<IResult> ForgetAsync(HttpContext context) =>
        StoreKeyOfRoute(context) is not { } storeKey ? NoStoreKey()
        : await records.ForgetAsync(storeKey, context.RequestAborted) ? TypedResults.NoContent()
        : NotFound();

    public async Task<IResult> ListAbandonedAsync(HttpContext context)
    {
        if (!records.CanListAbandoned)
        {
            return Problem(StatusCodes.Status501NotImplemented, "The store cannot list abandoned claims.");
        }

        if (LimitOf(context) is not { } limit)
        {
            return NoLimit();
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

        return Json(new AdminDocuments.AbandonedClaims(claims.Take(limit).Select(AdminDocuments.Abandoned.Of), claims.Count <= limit), AdminJson.Default.AbandonedClaims);
    }

    public Task<IResult> ListRunningAsync(HttpContext context)
    {
        if (LimitOf(context) is not { } limit)
        {
            return Task.FromResult<IResult>(NoLimit());
        }

        var claims = records.ListRunning();
        return Task.FromResult<IResult>(Json(new AdminDocuments.RunningClaims(claims.Take(limit).Select(AdminDocuments.Running.Of), claims.Count <= limit), AdminJson.Default.RunningClaims));
    }

    public Task<IResult> ListIncidentsAsync(HttpContext context) =>
        Task.FromResult<IResult>(Json(new AdminDocuments.AllIncidents(records.ListIncidents().Select(AdminDocuments.Incident.Of)), AdminJson.Default.AllIncidents));

    private static int? LimitOf(HttpContext context) =>
        context.Request.Query["limit"] is not { Count: > 0 } asked ? DefaultLimit
        : int.TryParse(asked[0], NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is >= 1 and <= HighestLimit ? limit
        : null;

    private static JsonHttpResult<AdminDocuments.Problem> NoLimit() => Problem(StatusCodes.Status400BadRequest, $"The limit must be a number from 1 to {HighestLimit}.");

    private async Task<IResult> FindAsync(StoreKey storeKey, CancellationToken cancellationToken)
    {
        try
        {
            return await records.FindAsync(storeKey, cancellationToken) is { } record ? Json(AdminDocuments.Record.Of(record), AdminJson.Default.Record) : NotFound();
        }
        catch (IdempotencyRecordUnreadableException unreadable)
        {
            return Problem(StatusCodes.Status422UnprocessableEntity, $"The record cannot be read ({unreadable.Message}). Requests with its key are rejected with 503 until the record is deleted or expires.");
        }
    }

    private static StoreKey? StoreKeyOfRoute(HttpContext context) =>
        Sha256Hash.TryParse(context.Request.RouteValues["storeKey"] as string, out var hash) ? new StoreKey(hash) : null;

    private static JsonHttpResult<AdminDocuments.Problem> NoStoreKey() => Problem(StatusCodes.Status400BadRequest, "A stored key has 64 hexadecimal digits, as in log events and spans.");

    private static JsonHttpResult<AdminDocuments.Problem> NotFound() => Problem(StatusCodes.Status404NotFound, "The record was not found. It may have expired.");

    private static JsonHttpResult<AdminDocuments.Problem> Problem(int status, string detail) =>
        TypedResults.Json(new AdminDocuments.Problem(status, detail), AdminJson.Default.Problem, "application/problem+json", status);

    private static JsonHttpResult<T> Json<T>(T document, JsonTypeInfo<T> type) => TypedResults.Json(document, type, "application/json");
}

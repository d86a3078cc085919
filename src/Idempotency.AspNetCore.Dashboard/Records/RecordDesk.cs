using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Looks records up and forgets them.</summary>
internal sealed class RecordDesk(IIdempotencyRecords records, PoliciesInForce policies, ILogger logger)
{
    private const string WhichKey = "The stored key is missing or malformed. It has 64 hexadecimal digits, as in log events and spans.";

    /// <exception cref="ArgumentException">The request names no record.</exception>
    public async Task<RecordDocument> LookUpAsync(HttpContext context, RecordRequest request)
    {
        if (request.StoreKey is not null)
        {
            return await DescribeAsync(StoreKeyOf(request), policy: null, context.RequestAborted);
        }

        var query = QueryOf(request);
        return await DescribeAsync(StoreKeyOf(query), policies.Of(query.Method, query.Path, context.Request.PathBase), context.RequestAborted);
    }

    /// <exception cref="ArgumentException">The request names no record.</exception>
    public async Task<ForgottenDocument> ForgetAsync(HttpContext context, RecordRequest request)
    {
        var storeKey = StoreKeyOf(request);
        var state = await StateOfAsync(storeKey, context.RequestAborted);
        var isOnTheList = IncidentsOf(storeKey) is not null;

        // Not ended by the operator's browser: a record that is gone must be in the log.
        var wasThere = await records.ForgetAsync(storeKey, CancellationToken.None);
        if (wasThere || isOnTheList)
        {
            DashboardLog.RecordForgotten(logger, storeKey, Operator.NameOf(context.User), state);
        }

        return new ForgottenDocument(storeKey.ToString(), wasThere);
    }

    private async Task<RecordDocument> DescribeAsync(StoreKey storeKey, IdempotencyPolicy? policy, CancellationToken cancellationToken)
    {
        IdempotencyRecordView? record;
        try
        {
            record = await records.FindAsync(storeKey, cancellationToken);
        }
        catch (IdempotencyRecordUnreadableException unreadable)
        {
            return RecordDocument.Of(storeKey, Verdict.Unreadable(unreadable.Message)) with { Incidents = IncidentsOf(storeKey) };
        }

        if (record is null)
        {
            var incidents = IncidentsOf(storeKey);
            return RecordDocument.Of(storeKey, incidents is null ? Verdict.None : Verdict.Gone) with { Incidents = incidents };
        }

        var next = AbandonedRules.Next(record, policy?.WhenAbandoned ?? policies.WhenAbandoned());
        return RecordDocument.Of(storeKey, Verdict.Of(record, next)) with
        {
            Attempt = record.Attempt,
            Next = record.IsAbandoned ? AbandonedRules.NameOf(next) : null,
            LeaseSecondsLeft = record.LeaseRemaining is { } lease ? Math.Round(lease.TotalSeconds, 1) : null,
            RetentionSecondsLeft = record.RetentionRemaining is { } retention ? Math.Round(retention.TotalSeconds) : null,
            CompletedSecondsAgo = record.RetentionRemaining is { } left && policy is not null && policy.Retention >= left ? Math.Round((policy.Retention - left).TotalSeconds) : null,
            Response = record.ResponseStatus is { } status ? new RecordDocument.RecordedResponse(status, record.ResponseHeaders, record.ResponseBodySize) : null,
            Steps = RecordedStep.Of(record.Steps),
            Incidents = IncidentsOf(storeKey),
        };
    }

    private string[]? IncidentsOf(StoreKey storeKey)
    {
        string[] incidents = [.. records.ListIncidents().Where(incident => incident.StoreKey == storeKey && incident.Kind == IdempotencyIncidentKind.ResponseNotRecorded).Select(static _ => $"A response could not be recorded. {Runbook.NotRecorded}")];
        return incidents.Length == 0 ? null : incidents;
    }

    private async Task<string> StateOfAsync(StoreKey storeKey, CancellationToken cancellationToken)
    {
        try
        {
            return await records.FindAsync(storeKey, cancellationToken) is not { } record ? "gone"
                : record.Status == IdempotencyRecordStatus.Completed ? "completed"
                : record.IsAbandoned ? "abandoned"
                : "in progress";
        }
        catch (IdempotencyRecordUnreadableException)
        {
            return "unreadable";
        }
    }

    private static StoreKey StoreKeyOf(RecordRequest request) =>
        Sha256Hash.TryParse(request.StoreKey?.Trim(), out var hash) ? new StoreKey(hash) : throw new ArgumentException(WhichKey);

    private StoreKey StoreKeyOf(IdempotencyRecordQuery query)
    {
        try
        {
            return records.StoreKeyOf(query);
        }
        catch (ArgumentException unnamed)
        {
            // Without the name of a parameter, which is of no use to who filled in a form.
            throw new ArgumentException(unnamed.Message.Split(" (Parameter", 2)[0], unnamed);
        }
    }

    private static IdempotencyRecordQuery QueryOf(RecordRequest request) => new()
    {
        Method = string.IsNullOrWhiteSpace(request.Method) ? HttpMethods.Post : request.Method.Trim().ToUpperInvariant(),
        Path = PathOf(request.Path),
        Key = string.IsNullOrEmpty(request.Key) ? throw new ArgumentException("The key is missing.") : request.Key,
        Partition = request.Partition,
        Issuer = request.Issuer,
        Subject = request.Subject,
        ClientId = request.ClientId,
    };

    /// <summary>A path as a server sees it, from what an operator has at hand: that, or an address with a query and escapes.</summary>
    private static string PathOf(string? text)
    {
        var path = text?.Trim() ?? "";
        if (Uri.TryCreate(path, UriKind.Absolute, out var address) && address.Scheme is "http" or "https")
        {
            path = address.AbsolutePath;
        }

        var end = path.AsSpan().IndexOfAny('?', '#');
        path = Uri.UnescapeDataString(end < 0 ? path : path[..end]);
        return path switch
        {
            "" => throw new ArgumentException("The path is missing."),
            ['/', ..] => path,
            _ => "/" + path,
        };
    }
}
